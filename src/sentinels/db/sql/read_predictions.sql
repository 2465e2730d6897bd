-- The first and the newest prediction of these jobs' next attempts, and whether a slip was told.
SELECT j.id AS job_id, j.attempt + 1 AS attempt, f.early AS first_early, f.late AS first_late,
       n.early, n.late,
       EXISTS (SELECT FROM outbox o WHERE o.job_id = j.id AND o.attempt = j.attempt
                  AND o.kind = 'slipped') AS told
  FROM jobs j
 CROSS JOIN LATERAL (
       SELECT p.early, p.late FROM predictions p
        WHERE p.job_id = j.id AND p.attempt = j.attempt + 1 ORDER BY p.id LIMIT 1) f
 CROSS JOIN LATERAL (
       SELECT p.early, p.late FROM predictions p
        WHERE p.job_id = j.id AND p.attempt = j.attempt + 1 ORDER BY p.id DESC LIMIT 1) n
 WHERE j.id = ANY(CAST(:ids AS bigint[]))
