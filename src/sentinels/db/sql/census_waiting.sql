-- The waiting jobs, :bound of each lane at most: by priority, by team, and by why their lane was not
-- admitted when it was last looked at.
WITH lane AS MATERIALIZED (
    SELECT l.priority, t.name AS team, d.code, h.enqueued_at, n.waiting
      FROM lanes l
      JOIN teams t ON t.id = l.team_id
     CROSS JOIN LATERAL (
           SELECT q.enqueued_at FROM queue q
            WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
            ORDER BY q.job_id LIMIT 1) h
     CROSS JOIN LATERAL (
           SELECT count(*) AS waiting FROM (
                  SELECT FROM queue q
                   WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
                   ORDER BY q.job_id LIMIT :bound) bounded) n
      LEFT JOIN LATERAL (
           SELECT d.code FROM decisions d WHERE d.lane_id = l.id ORDER BY d.id DESC LIMIT 1) d
        ON true
     WHERE l.ready)
SELECT priority, team, code, sum(waiting) AS waiting,
       greatest(0, extract(epoch FROM now() - min(enqueued_at))) AS oldest_seconds
  FROM lane
 GROUP BY GROUPING SETS ((priority), (team), (code))
