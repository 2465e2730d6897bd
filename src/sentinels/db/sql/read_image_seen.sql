-- What the cluster said that the newest attempt ran, of those that it said that of.
SELECT dossier #>> '{facts,image_id}' AS image_id
  FROM attempts WHERE job_id = :job_id AND dossier #>> '{facts,image_id}' <> ''
 ORDER BY attempt DESC LIMIT 1
