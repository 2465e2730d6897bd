-- What is kept of how an attempt ended.
SELECT dossier FROM attempts WHERE job_id = :job_id AND attempt = :attempt
