-- The first :limit waiting jobs in queue order (see read_places), that the caller may see, then deferred
-- ones; folded: of each sweep only the first.
WITH seen AS (
    SELECT l.id, l.priority, l.low_job_id, l.ready FROM lanes l
     WHERE (CAST(:team_id AS int) IS NULL OR l.team_id = CAST(:team_id AS int))
       AND (CAST(:team AS text) IS NULL
            OR l.team_id = (SELECT t.id FROM teams t WHERE t.name = CAST(:team AS text)))),
considered AS (
    SELECT q.job_id, q.enqueued_at, l.priority
      FROM (SELECT l.id, l.priority, l.low_job_id FROM seen l
             WHERE l.ready ORDER BY l.priority DESC, l.id) l
     CROSS JOIN LATERAL (
           SELECT q.job_id, q.enqueued_at FROM queue q
            WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
            ORDER BY q.job_id LIMIT CASE WHEN :folded THEN :bound ELSE :limit END) q
     LIMIT :bound),
following AS (
    SELECT job_id, 0 AS deferred, row_number() OVER (
               ORDER BY priority + least(:ageing_limit, :ageing_step * floor(
                        greatest(0, extract(epoch FROM now() - enqueued_at)) / :ageing_seconds)) DESC,
                        enqueued_at, job_id) AS position
      FROM considered
     UNION ALL
    SELECT d.job_id, 1, row_number() OVER (ORDER BY d.not_before, d.job_id)
      FROM deferred d JOIN seen l ON l.id = d.lane_id)
SELECT job_id
  FROM (SELECT f.job_id, f.deferred, f.position, j.sweep_id,
               row_number() OVER (PARTITION BY j.sweep_id ORDER BY f.deferred, f.position) AS nth
          FROM following f LEFT JOIN jobs j ON :folded AND j.id = f.job_id) placed
 WHERE sweep_id IS NULL OR nth = 1
 ORDER BY deferred, position LIMIT :limit
