-- Cancel all jobs of a sweep that wait, in line or put aside, and write their events: all or nothing.
-- Their queue rows go first, as a claim takes them; what a claim took meanwhile is not waiting.
WITH members AS MATERIALIZED (
    SELECT id, team_id, priority, shape_id FROM jobs
     WHERE sweep_id = :sweep_id AND state = 'queued'
       AND (CAST(:team_id AS int) IS NULL OR team_id = CAST(:team_id AS int))
       AND (CAST(:user_id AS int) IS NULL OR user_id = CAST(:user_id AS int))),
left_queue AS (
    DELETE FROM queue q USING members m, lanes l
     WHERE l.team_id = m.team_id AND l.priority = m.priority AND l.shape_id = m.shape_id
       AND q.lane_id = l.id AND q.job_id = m.id
    RETURNING q.job_id),
left_deferred AS (
    DELETE FROM deferred d USING members m WHERE d.job_id = m.id RETURNING d.job_id),
waiting AS MATERIALIZED (SELECT job_id FROM left_queue UNION SELECT job_id FROM left_deferred),
cancelled AS (
    UPDATE jobs j SET state = CAST(:target AS job_state), reason = 'cancelled', finished_at = now()
      FROM waiting w WHERE j.id = w.job_id AND j.state = ANY(CAST(:allowed AS job_state[]))
    RETURNING j.id, j.attempt),
told AS (
    INSERT INTO job_events (job_id, attempt, from_state, to_state, reason, actor, detail)
    SELECT id, attempt, 'queued', CAST(:target AS job_state), 'cancelled', :actor,
           CAST(:detail AS text)
      FROM cancelled)
SELECT count(*) FROM cancelled
