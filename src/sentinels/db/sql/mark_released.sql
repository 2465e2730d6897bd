-- The cluster was told that it may forget the workload.
UPDATE attempts SET released = true WHERE job_id = :job_id AND attempt = :attempt AND NOT live
