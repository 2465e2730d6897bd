-- Remember which conditions hold now. One that was not seen for :clear_seconds and that nobody was
-- told of begins anew, or is forgotten. Returns every open one.
WITH given AS MATERIALIZED (
    SELECT r.name, r.line, r.facts
      FROM jsonb_to_recordset(CAST(:held AS jsonb)) AS r(name text, line text, facts jsonb)),
seen AS (
    INSERT INTO conditions AS c (name, line, facts)
    SELECT name, line, facts FROM given
    ON CONFLICT (name) WHERE resolved_at IS NULL DO UPDATE
       SET line = excluded.line, facts = excluded.facts, seen_at = now(),
           since = CASE WHEN c.told_at IS NULL
                         AND c.seen_at < now() - make_interval(secs => :clear_seconds)
                   THEN now() ELSE c.since END
    RETURNING id, name, since, seen_at, told_at),
forgotten AS (
    DELETE FROM conditions
     WHERE resolved_at IS NULL AND told_at IS NULL
       AND seen_at < now() - make_interval(secs => :clear_seconds)
       AND name NOT IN (SELECT name FROM given)),
unseen AS (
    SELECT id, name, since, seen_at, told_at FROM conditions
     WHERE resolved_at IS NULL AND told_at IS NOT NULL AND name NOT IN (SELECT name FROM given))
SELECT id, name, since, told_at IS NOT NULL AS is_told,
       extract(epoch FROM now() - since) AS held, extract(epoch FROM now() - seen_at) AS quiet
  FROM (SELECT * FROM seen UNION ALL SELECT * FROM unseen) all_open
 ORDER BY id
