-- Jobs by id, whosever they are, as far as it matters who may give them another priority.
SELECT j.id AS job_id, j.name, j.state, j.attempt, j.priority, j.user_id, u.name AS user_name,
       j.team_id, t.name AS team
  FROM jobs j
  JOIN users u ON u.id = j.user_id
  JOIN teams t ON t.id = j.team_id
 WHERE j.id = ANY(CAST(:job_ids AS bigint[]))
 ORDER BY j.id
