-- Queue the deferred jobs that are due and whose dependencies have all succeeded. Their ids may be
-- old, so their lane's low-water mark is lowered; only the holder of the dispatch lock runs this.
WITH due AS (
    DELETE FROM deferred d
     WHERE (d.not_before IS NULL OR d.not_before <= now())
       AND NOT EXISTS (
           SELECT FROM jsonb_array_elements_text(d.waits_for) w
             JOIN jobs j ON j.id = CAST(w AS bigint) WHERE j.state <> 'succeeded')
    RETURNING d.job_id, d.lane_id),
queued AS (
    INSERT INTO queue (lane_id, job_id, enqueued_at)
    SELECT d.lane_id, d.job_id, j.submitted_at FROM due d JOIN jobs j ON j.id = d.job_id
     WHERE j.state = 'queued'
    ON CONFLICT DO NOTHING
    RETURNING lane_id, job_id),
woken AS (
    UPDATE lanes l SET ready = true, last_push = now(), low_job_id = least(l.low_job_id, q.low)
      FROM (SELECT lane_id, min(job_id) AS low FROM queued GROUP BY lane_id) q
     WHERE l.id = q.lane_id)
SELECT count(*) FROM queued
