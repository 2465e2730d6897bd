-- Pop counts[i] jobs from lane_ids[i], oldest first, and open an attempt with a lease for each.
-- A lane is locked, not its rows: what a cancel takes away meanwhile is simply not popped.
-- The low-water mark passes only rows older than 60 s, so that no push in flight is hidden below it.
WITH want AS (
    SELECT * FROM unnest(CAST(:lane_ids AS int[]), CAST(:counts AS int[])) AS w(lane_id, n)),
lane AS MATERIALIZED (
    SELECT l.id, l.shape_id, l.low_job_id, w.n FROM lanes l JOIN want w ON w.lane_id = l.id
       FOR UPDATE OF l SKIP LOCKED),
picked AS MATERIALIZED (
    SELECT q.ctid AS place
      FROM lane, LATERAL (
           SELECT q.ctid FROM queue q
            WHERE q.lane_id = lane.id AND q.job_id >= lane.low_job_id
            ORDER BY q.job_id LIMIT lane.n) q),
popped AS (
    DELETE FROM queue q USING picked p WHERE q.ctid = p.place
    RETURNING q.lane_id, q.job_id, q.enqueued_at),
claimed AS (
    UPDATE jobs j SET state = 'dispatched', attempt = j.attempt + 1, reason = NULL
      FROM popped p WHERE j.id = p.job_id AND j.state = 'queued'
    RETURNING j.id, j.attempt, p.lane_id, j.shape_id, j.avoids),
opened AS (
    INSERT INTO attempts (job_id, attempt, lane_id, shape_id, avoids, lease_until)
    SELECT id, attempt, lane_id, shape_id, avoids, now() + make_interval(secs => :lease_seconds)
      FROM claimed),
told AS (
    INSERT INTO job_events (job_id, attempt, from_state, to_state, actor)
    SELECT id, attempt, 'queued', 'dispatched', 'dispatch' FROM claimed),
mark AS (
    UPDATE lanes l
       SET low_job_id = greatest(l.low_job_id, coalesce(k.high, 0)),
           ready = coalesce(k.n, 0) >= lane.n OR l.last_push >= now() - interval '60 seconds'
      FROM lane LEFT JOIN (
           SELECT lane_id, count(*) AS n,
                  max(job_id) FILTER (WHERE enqueued_at < now() - interval '60 seconds') AS high
             FROM popped GROUP BY lane_id) k ON k.lane_id = lane.id
     WHERE l.id = lane.id)
SELECT id AS job_id, attempt, lane_id FROM claimed ORDER BY id
