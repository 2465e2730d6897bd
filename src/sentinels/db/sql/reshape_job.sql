-- Give a job another resource request for its next attempt.
UPDATE jobs SET shape_id = :shape_id WHERE id = :job_id RETURNING team_id, priority
