-- The first :limit distinct names, beginning so, of jobs that the caller may see: one index step a
-- name and team.
WITH RECURSIVE seen AS MATERIALIZED (
    SELECT t.id FROM teams t
     WHERE CAST(:team_id AS int) IS NULL OR t.id = CAST(:team_id AS int)),
found AS (
    (SELECT first.name, 1 AS n
       FROM seen s
      CROSS JOIN LATERAL (
            SELECT j.name FROM jobs j
             WHERE j.team_id = s.id AND starts_with(j.name, CAST(:beginning AS text))
             ORDER BY j.name LIMIT 1) first
      ORDER BY first.name LIMIT 1)
    UNION ALL
    SELECT following.name, f.n + 1
      FROM found f
     CROSS JOIN LATERAL (
           SELECT each.name
             FROM seen s
            CROSS JOIN LATERAL (
                  SELECT j.name FROM jobs j
                   WHERE j.team_id = s.id AND j.name > f.name
                     AND starts_with(j.name, CAST(:beginning AS text))
                   ORDER BY j.name LIMIT 1) each
            ORDER BY each.name LIMIT 1) following
     WHERE f.n < :limit)
SELECT name FROM found ORDER BY n
