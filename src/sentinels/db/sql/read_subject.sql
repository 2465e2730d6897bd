-- A job as far as its notices depend on it, and what its owner and their team chose.
SELECT j.image, j.config, j.sweep_id, u.name AS user_name,
       u.notice_to AS owner_to, u.notice_on AS owner_on,
       t.notice_to AS team_to, t.notice_on AS team_on
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE j.id = :job_id
