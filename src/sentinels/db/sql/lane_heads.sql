-- The planner's input: one row a ready lane, with its first job and how many wait (counted to :depth).
-- owed: others were asked to leave for it, and it was not claimed since they left.
SELECT l.id AS lane_id, t.name AS team, t.weight, l.priority,
       s.cpu_millis, s.memory_bytes, s.gpus, s.gpu_type,
       h.job_id, h.enqueued_at, n.waiting, j.config->>'time_limit' AS time_limit, j.avoids,
       EXISTS (SELECT FROM attempts a
                WHERE a.leaves_for = h.job_id
                  AND NOT EXISTS (SELECT FROM attempts mine
                                   WHERE mine.job_id = h.job_id
                                     AND mine.claimed_at > coalesce(a.finished_at, now()))) AS owed
  FROM lanes l
  JOIN teams t ON t.id = l.team_id
  JOIN shapes s ON s.id = l.shape_id
 CROSS JOIN LATERAL (
       SELECT q.job_id, q.enqueued_at FROM queue q
        WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
        ORDER BY q.job_id LIMIT 1) h
 CROSS JOIN LATERAL (
       SELECT count(*) AS waiting FROM (
              SELECT FROM queue q
               WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
               ORDER BY q.job_id LIMIT :depth) bounded) n
  JOIN jobs j ON j.id = h.job_id
 WHERE l.ready
