-- Put a requeued job aside until it is due; the next pass with the dispatch lock queues it.
INSERT INTO deferred (job_id, lane_id, not_before)
VALUES (:job_id, :lane_id, now() + make_interval(secs => :after_seconds))
ON CONFLICT (job_id) DO NOTHING
