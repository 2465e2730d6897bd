-- Complete an ended attempt's dossier that has no lines; one that has some stays.
UPDATE attempts SET dossier = CAST(:dossier AS jsonb)
 WHERE job_id = :job_id AND attempt = :attempt AND NOT live
   AND NOT jsonb_path_exists(dossier, '$.lines.texts[0]')
