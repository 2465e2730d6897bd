-- The newest :limit events of a job, oldest of them first.
SELECT id, at, attempt, from_state, to_state, reason, actor, detail
  FROM (SELECT * FROM job_events WHERE job_id = :job_id ORDER BY id DESC LIMIT :limit) newest
 ORDER BY id
