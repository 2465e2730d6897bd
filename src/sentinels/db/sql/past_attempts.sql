-- How the earlier attempts of a job ended, oldest first.
SELECT reason, exit_code FROM attempts
 WHERE job_id = :job_id AND attempt < :attempt AND reason IS NOT NULL
 ORDER BY attempt
