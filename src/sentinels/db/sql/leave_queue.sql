-- Take a waiting job's row out of its lane, so that no claim finds it.
DELETE FROM queue q USING jobs j, lanes l
 WHERE j.id = :job_id AND l.team_id = j.team_id AND l.priority = j.priority
   AND l.shape_id = j.shape_id AND q.lane_id = l.id AND q.job_id = j.id
