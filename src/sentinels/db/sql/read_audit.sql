-- What was done in teams that the caller may read of, newest first; a sweep's push is its jobs' too.
SELECT a.id, a.at, a.actor, a.act, t.name AS team, a.job_id, a.subject, a.detail
  FROM audit a LEFT JOIN teams t ON t.id = a.team_id
 WHERE (CAST(:team_id AS int) IS NULL OR a.team_id = CAST(:team_id AS int))
   AND (CAST(:since AS timestamptz) IS NULL OR a.at >= CAST(:since AS timestamptz))
   AND (CAST(:user_name AS text) IS NULL OR a.actor = CAST(:user_name AS text))
   AND (CAST(:job_id AS bigint) IS NULL OR a.job_id = CAST(:job_id AS bigint)
        OR a.job_id = (SELECT j.sweep_id FROM jobs j
                        WHERE j.id = CAST(:job_id AS bigint) AND a.act IN ('push', 'rerun')))
   AND (CAST(:before AS bigint) IS NULL OR a.id < CAST(:before AS bigint))
 ORDER BY a.id DESC LIMIT :limit
