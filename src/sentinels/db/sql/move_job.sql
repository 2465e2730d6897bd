-- Move one job, if it is still in a state the move starts from and on the same attempt, and write
-- its event. No row back: somebody else moved it. What is to be cancelled is not queued again.
WITH before AS MATERIALIZED (
    SELECT id, state FROM jobs
     WHERE id = :job_id AND attempt = :attempt AND state = ANY(CAST(:allowed AS job_state[]))
       AND (CAST(:target AS job_state) <> 'queued' OR cancel_requested_at IS NULL)
       FOR UPDATE),
moved AS (
    UPDATE jobs j
       SET state = CAST(:target AS job_state),
           reason = CAST(:reason AS reason),
           started_at = coalesce(CAST(:started_at AS timestamptz), j.started_at),
           finished_at = CASE WHEN :terminal
                              THEN coalesce(CAST(:finished_at AS timestamptz), now()) END
      FROM before b WHERE j.id = b.id
    RETURNING j.id, j.attempt, b.state AS from_state)
INSERT INTO job_events (job_id, attempt, from_state, to_state, reason, actor, detail)
SELECT id, attempt, from_state, CAST(:target AS job_state), CAST(:reason AS reason),
       :actor, CAST(:detail AS text)
  FROM moved
RETURNING id
