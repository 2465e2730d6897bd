-- Whose these waiting jobs are, and what they chose to be told of.
SELECT j.id AS job_id, j.attempt, j.name, j.image, j.config, j.sweep_id, u.name AS user_name,
       u.notice_to AS owner_to, u.notice_on AS owner_on,
       t.notice_to AS team_to, t.notice_on AS team_on
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE j.id = ANY(CAST(:ids AS bigint[])) AND j.state = 'queued'
