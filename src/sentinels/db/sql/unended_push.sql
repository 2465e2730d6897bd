-- Whether a job, or one of the sweep that begins with it, has not ended and is not to be ended.
SELECT EXISTS (SELECT FROM jobs
                WHERE id = :job_id AND finished_at IS NULL AND cancel_requested_at IS NULL)
    OR EXISTS (SELECT FROM jobs
                WHERE sweep_id = :job_id AND finished_at IS NULL AND cancel_requested_at IS NULL)
