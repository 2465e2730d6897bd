-- The first :limit distinct job names that the caller may see and that begin so: one index step a name.
WITH RECURSIVE found AS (
    (SELECT j.name, 1 AS n FROM jobs j
      WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
        AND starts_with(j.name, CAST(:beginning AS text))
      ORDER BY j.name LIMIT 1)
    UNION ALL
    SELECT following.name, f.n + 1
      FROM found f
     CROSS JOIN LATERAL (
           SELECT j.name FROM jobs j
            WHERE (CAST(:team_id AS int) IS NULL OR j.team_id = CAST(:team_id AS int))
              AND j.name > f.name
              AND starts_with(j.name, CAST(:beginning AS text))
            ORDER BY j.name LIMIT 1) following
     WHERE f.n < :limit)
SELECT name FROM found ORDER BY n
