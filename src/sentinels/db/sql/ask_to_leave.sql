-- Mark live attempts whose place another job needs; they are stopped after the commit, and queued again.
UPDATE attempts a SET leaves_for = r.leaves_for
  FROM jsonb_to_recordset(CAST(:asked AS jsonb)) AS r(job_id bigint, attempt int, leaves_for bigint)
 WHERE a.job_id = r.job_id AND a.attempt = r.attempt AND a.live AND a.leaves_for IS NULL
