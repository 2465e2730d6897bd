-- Give a job another resource request for its next attempt, and a node to keep away from, if any.
UPDATE jobs
   SET shape_id = :shape_id,
       avoids = CASE WHEN CAST(:avoids AS text) = ANY(avoids) THEN avoids
                     ELSE array_remove(array_append(avoids, CAST(:avoids AS text)), NULL) END
 WHERE id = :job_id RETURNING team_id, priority
