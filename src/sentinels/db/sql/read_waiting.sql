-- The first :most waiting jobs, lane by lane, the urgent lanes first.
SELECT q.job_id, q.lane_id, q.enqueued_at, u.name AS user_name, j.avoids,
       j.config->>'time_limit' AS time_limit
  FROM (SELECT id, low_job_id, priority FROM lanes WHERE ready ORDER BY priority DESC, id) l
 CROSS JOIN LATERAL (
       SELECT q.job_id, q.lane_id, q.enqueued_at FROM queue q
        WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
        ORDER BY q.job_id LIMIT :most) q
  JOIN jobs j ON j.id = q.job_id
  JOIN users u ON u.id = j.user_id
 ORDER BY l.priority DESC, q.lane_id, q.job_id
 LIMIT :most
