-- Keep when jobs that still wait are expected to start.
INSERT INTO predictions (job_id, attempt, early, late)
SELECT j.id, j.attempt + 1, r.early, r.late
  FROM jsonb_to_recordset(CAST(:predictions AS jsonb))
       AS r(job_id bigint, early timestamptz, late timestamptz)
  JOIN jobs j ON j.id = r.job_id AND j.state = 'queued'
