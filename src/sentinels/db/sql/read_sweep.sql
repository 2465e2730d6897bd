-- What has become of a sweep's jobs, and the first :most of those that did not succeed, with why.
WITH members AS MATERIALIZED (
    SELECT id, state, config, finished_at FROM jobs WHERE sweep_id = :sweep_id),
unsuccessful AS (
    SELECT m.id, m.state, m.config->'params' AS params, coalesce(e.detail, '') AS why
      FROM (SELECT * FROM members WHERE state IN ('failed', 'cancelled') ORDER BY id LIMIT :most) m
      LEFT JOIN LATERAL (
           SELECT detail FROM job_events WHERE job_id = m.id ORDER BY id DESC LIMIT 1) e ON true)
SELECT f.name, u.name AS user_name, t.name AS team, f.submitted_at,
       (SELECT count(*) FROM members) AS jobs,
       (SELECT max(finished_at) FROM members) AS finished_at,
       (SELECT jsonb_object_agg(state, number)
          FROM (SELECT state, count(*) AS number FROM members GROUP BY state) s) AS states,
       (SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.id), '[]') FROM unsuccessful b)
           AS unsuccessful, s.definition, s.at_once
  FROM jobs f
  LEFT JOIN sweeps s ON s.id = f.id
  JOIN users u ON u.id = f.user_id
  JOIN teams t ON t.id = f.team_id
 WHERE f.id = :sweep_id
