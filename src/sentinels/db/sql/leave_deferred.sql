-- Take a job that may not be considered yet out of the deferred ones.
DELETE FROM deferred WHERE job_id = :job_id
