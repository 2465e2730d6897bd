-- Ids of jobs that the caller may see and that pass every filter given, newest first, below a cursor;
-- folded: of each sweep only the newest that passes (the filters but for the state are the same for all
-- of it).
SELECT j.id
  FROM jobs j
 WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
   AND (CAST(:team AS text) IS NULL
        OR j.team_id = (SELECT t.id FROM teams t WHERE t.name = CAST(:team AS text)))
   AND (CAST(:before AS bigint) IS NULL OR j.id < CAST(:before AS bigint))
   AND (CAST(:states AS job_state[]) IS NULL OR j.state = ANY(CAST(:states AS job_state[])))
   AND (CAST(:name AS text) IS NULL OR starts_with(j.name, CAST(:name AS text)))
   AND (CAST(:experiment AS text) IS NULL OR j.experiment = CAST(:experiment AS text))
   AND (CAST(:user_name AS text) IS NULL
        OR j.user_id = (SELECT u.id FROM users u WHERE u.name = CAST(:user_name AS text)))
   AND (CAST(:labels AS jsonb) IS NULL OR CAST(j.config->'labels' AS jsonb) @> CAST(:labels AS jsonb))
   AND (CAST(:sweep AS bigint) IS NULL OR j.sweep_id = CAST(:sweep AS bigint))
   AND (NOT :folded OR j.sweep_id IS NULL OR NOT EXISTS (
        SELECT FROM jobs o
         WHERE o.sweep_id = j.sweep_id AND o.id > j.id
           AND (CAST(:states AS job_state[]) IS NULL OR o.state = ANY(CAST(:states AS job_state[])))))
 ORDER BY j.id DESC LIMIT :limit
