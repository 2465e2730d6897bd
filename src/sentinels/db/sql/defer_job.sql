-- Put a requeued job aside until it is due; the next pass with the dispatch lock queues it.
INSERT INTO deferred (job_id, lane_id, not_before, sweep_id)
SELECT :job_id, :lane_id, now() + make_interval(secs => :after_seconds), (
       SELECT s.id FROM jobs j JOIN sweeps s ON s.id = j.sweep_id AND s.at_once IS NOT NULL
        WHERE j.id = :job_id)
ON CONFLICT (job_id) DO NOTHING
