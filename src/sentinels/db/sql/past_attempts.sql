-- How the earlier attempts of a job ended and what they printed last, oldest first.
SELECT reason, exit_code, node, coalesce(dossier #> '{lines,texts}', '[]') AS lines FROM attempts
 WHERE job_id = :job_id AND attempt < :attempt AND reason IS NOT NULL
 ORDER BY attempt
