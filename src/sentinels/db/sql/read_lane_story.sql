-- How the answer to a waiting job's lane changed since the job was queued, the oldest first, with the
-- one that held then.
SELECT d.at, d.sentence
  FROM (SELECT j.id, l.id AS lane_id, coalesce(
               (SELECT e.at FROM job_events e WHERE e.job_id = j.id AND e.to_state = 'queued'
                 ORDER BY e.id DESC LIMIT 1), j.submitted_at) AS since
          FROM jobs j
          JOIN lanes l
            ON l.team_id = j.team_id AND l.priority = j.priority AND l.shape_id = j.shape_id
         WHERE j.id = :job_id) q
 CROSS JOIN LATERAL (
       SELECT * FROM (
              SELECT d.id, d.at, d.sentence FROM decisions d
               WHERE d.lane_id = q.lane_id AND d.at >= q.since
               ORDER BY d.id DESC LIMIT :limit) newest
       UNION ALL
       SELECT * FROM (
              SELECT d.id, greatest(d.at, q.since), d.sentence FROM decisions d
               WHERE d.lane_id = q.lane_id AND d.at < q.since
               ORDER BY d.id DESC LIMIT 1) before) d
 ORDER BY d.id
