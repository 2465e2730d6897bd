-- Everything an attempt left behind has reached the tracker.
UPDATE attempts SET outputs_complete = true WHERE job_id = :job_id AND attempt = :attempt
