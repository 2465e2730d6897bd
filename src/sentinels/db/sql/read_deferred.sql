-- Those of these jobs that may not be considered yet, with what they wait for: jobs, by state; a time;
-- a place among those of their sweep that may be live or in line at once.
SELECT d.job_id, d.not_before,
       (SELECT coalesce(jsonb_object_agg(o.id, o.state), '{}')
          FROM jsonb_array_elements_text(d.waits_for) w
          JOIN jobs o ON o.id = CAST(w AS bigint)
         WHERE o.state <> 'succeeded') AS waits_for,
       s.id AS sweep_id, s.at_once, o.live, o.open
  FROM deferred d
  LEFT JOIN sweeps s ON s.id = d.sweep_id
  LEFT JOIN (
       SELECT j.sweep_id, count(*) FILTER (WHERE j.state <> 'queued') AS live, count(*) AS open
         FROM jobs j
        WHERE j.sweep_id IN (SELECT sweep_id FROM deferred WHERE job_id = ANY(CAST(:ids AS bigint[])))
          AND j.state IN ('queued', 'dispatched', 'running')
          AND NOT EXISTS (SELECT FROM deferred w WHERE w.job_id = j.id)
        GROUP BY j.sweep_id) o ON o.sweep_id = s.id
 WHERE d.job_id = ANY(CAST(:ids AS bigint[]))
