-- Queue the deferred jobs that are due and whose dependencies have all succeeded; of a sweep with a
-- limit no more than it leaves beside its jobs that are live or in line. Their ids may be
-- old, so their lane's low-water mark is lowered; only the holder of the dispatch lock runs this,
-- and nothing else adds to a sweep's live and queued jobs: the limit is never exceeded.
WITH due AS MATERIALIZED (
    SELECT d.job_id, d.sweep_id FROM deferred d
     WHERE (d.not_before IS NULL OR d.not_before <= now())
       AND (d.waits_for = '[]' OR NOT EXISTS (
           SELECT FROM jsonb_array_elements_text(d.waits_for) w
             JOIN jobs j ON j.id = CAST(w AS bigint) WHERE j.state <> 'succeeded'))),
room AS (
    SELECT s.id, s.at_once - (
           SELECT count(*) FROM jobs j
            WHERE j.sweep_id = s.id AND j.state IN ('queued', 'dispatched', 'running')
              AND NOT EXISTS (SELECT FROM deferred d WHERE d.job_id = j.id)) AS free
      FROM sweeps s WHERE s.id IN (SELECT sweep_id FROM due)),
let_go AS (
    SELECT l.job_id
      FROM (SELECT d.job_id, d.sweep_id, r.free,
                   row_number() OVER (PARTITION BY d.sweep_id ORDER BY d.job_id) AS place
              FROM due d LEFT JOIN room r ON r.id = d.sweep_id) l
     WHERE l.sweep_id IS NULL OR l.place <= l.free),
released AS (
    DELETE FROM deferred d USING let_go l WHERE d.job_id = l.job_id
    RETURNING d.job_id, d.lane_id),
queued AS (
    INSERT INTO queue (lane_id, job_id, enqueued_at)
    SELECT r.lane_id, r.job_id, j.submitted_at FROM released r JOIN jobs j ON j.id = r.job_id
     WHERE j.state = 'queued'
    ON CONFLICT DO NOTHING
    RETURNING lane_id, job_id),
woken AS (
    UPDATE lanes l SET ready = true, last_push = now(), low_job_id = least(l.low_job_id, q.low)
      FROM (SELECT lane_id, min(job_id) AS low FROM queued GROUP BY lane_id) q
     WHERE l.id = q.lane_id)
SELECT count(*) FROM queued
