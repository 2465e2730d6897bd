-- Store the jobs of one push, queue or defer them and write their first events: all or nothing.
-- Of a sweep with a limit only so many are queued: dispatch queues the others as those end.
-- Returns no row for a job whose idempotency key was used before.
WITH pushed AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('jobs', 'id')) AS id, r.name, r.experiment, r.config, r.idem_key
      FROM json_to_recordset(CAST(:jobs AS json))
           AS r(name text, experiment text, config json, idem_key text)),
stored AS (
    INSERT INTO jobs (id, team_id, user_id, name, experiment, image, config, priority, shape_id,
                      sweep_id, idem_key, request_digest, rerun_of)
    OVERRIDING SYSTEM VALUE
    SELECT p.id, :team_id, :user_id, p.name, p.experiment, CAST(:image AS jsonb), p.config, :priority,
           :shape_id, CASE WHEN count(*) OVER () > 1 THEN min(p.id) OVER () END,
           p.idem_key, :request_digest, CAST(:rerun_of AS bigint)
      FROM pushed p
    ON CONFLICT (user_id, idem_key) DO NOTHING
    RETURNING id, sweep_id),
swept AS (
    INSERT INTO sweeps (id, at_once, definition)
    SELECT id, CAST(:at_once AS int), CAST(:definition AS json) FROM stored WHERE id = sweep_id),
placed AS (
    SELECT id, sweep_id, CAST(:waits_for AS jsonb) = '[]'
           AND row_number() OVER (ORDER BY id) <= coalesce(CAST(:at_once AS int), 1000000) AS is_next
      FROM stored),
queued AS (
    INSERT INTO queue (lane_id, job_id) SELECT :lane_id, id FROM placed WHERE is_next),
held_back AS (
    INSERT INTO deferred (job_id, lane_id, waits_for, sweep_id)
    SELECT id, :lane_id, CAST(:waits_for AS jsonb),
           CASE WHEN CAST(:at_once AS int) IS NOT NULL THEN sweep_id END
      FROM placed WHERE NOT is_next),
told AS (
    INSERT INTO job_events (job_id, attempt, from_state, to_state, actor)
    SELECT id, 0, NULL, 'queued', :actor FROM stored),
woken AS (
    UPDATE lanes SET ready = true, last_push = now()
     WHERE id = :lane_id AND (NOT ready OR last_push < now() - interval '20 seconds'))
SELECT id FROM stored ORDER BY id
