-- Put waiting jobs, deferred ones too, into the lanes of another priority, and write who did it. One
-- that waits no more, or has that priority, is left as it is. Their ids may be old, so the lanes'
-- low-water marks are lowered; only the holder of the dispatch lock runs this. A queue row goes before
-- its job's, as in a cancel: the other order could deadlock with it.
WITH wanted AS MATERIALIZED (
    SELECT id, team_id, shape_id, priority FROM jobs
     WHERE id = ANY(CAST(:job_ids AS bigint[])) AND state = 'queued' AND priority <> :priority),
target AS (
    INSERT INTO lanes (team_id, priority, shape_id, low_job_id, ready)
    SELECT team_id, :priority, shape_id, min(id), true FROM wanted GROUP BY team_id, shape_id
    ON CONFLICT (team_id, priority, shape_id) DO UPDATE
       SET ready = true, last_push = now(),
           low_job_id = least(lanes.low_job_id, excluded.low_job_id)
    RETURNING id, team_id, shape_id),
left_queue AS (
    DELETE FROM queue q USING wanted w, lanes l
     WHERE l.team_id = w.team_id AND l.priority = w.priority AND l.shape_id = w.shape_id
       AND q.lane_id = l.id AND q.job_id = w.id
    RETURNING q.job_id, q.enqueued_at),
still_deferred AS (
    UPDATE deferred d SET lane_id = t.id
      FROM wanted w JOIN target t ON t.team_id = w.team_id AND t.shape_id = w.shape_id
     WHERE d.job_id = w.id
    RETURNING d.job_id, CAST(NULL AS timestamptz) AS enqueued_at),
free AS MATERIALIZED (SELECT * FROM left_queue UNION ALL SELECT * FROM still_deferred),
moved AS (
    UPDATE jobs j SET priority = :priority
      FROM free f JOIN wanted w ON w.id = f.job_id
     WHERE j.id = f.job_id AND j.state = 'queued'
    RETURNING j.id, j.attempt, j.team_id, j.shape_id, w.priority AS was, f.enqueued_at),
queued AS (
    INSERT INTO queue (lane_id, job_id, enqueued_at)
    SELECT t.id, m.id, m.enqueued_at
      FROM moved m JOIN target t ON t.team_id = m.team_id AND t.shape_id = m.shape_id
     WHERE m.enqueued_at IS NOT NULL),
told AS (
    INSERT INTO job_events (job_id, attempt, from_state, to_state, actor, detail)
    SELECT id, attempt, 'queued', 'queued', :actor,
           format('%s %s it from %s to %s', CAST(:actor AS text),
                  CASE WHEN :priority > was THEN 'bumped' ELSE 'lowered' END,
                  coalesce(CAST(:names AS jsonb)->>CAST(was AS text), CAST(was AS text)),
                  coalesce(CAST(:names AS jsonb)->>CAST(:priority AS text), CAST(:priority AS text)))
      FROM moved)
SELECT id AS job_id FROM moved ORDER BY id
