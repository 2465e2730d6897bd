-- Whether every job of a sweep has ended.
SELECT NOT EXISTS (
       SELECT FROM jobs
        WHERE sweep_id = :sweep_id AND state NOT IN ('succeeded', 'failed', 'cancelled')) AS over
