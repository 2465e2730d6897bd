-- Where jobs stand among the first :bound waiting ones, and how many wait (counted up to :bound).
-- The order is core.planning.queue_order's without the teams' shares; a test holds the two together.
WITH considered AS (
    SELECT q.job_id, q.enqueued_at, l.priority
      FROM (SELECT id, priority, low_job_id FROM lanes WHERE ready ORDER BY priority DESC, id) l
     CROSS JOIN LATERAL (
           SELECT q.job_id, q.enqueued_at FROM queue q
            WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
            ORDER BY q.job_id LIMIT :bound) q
     LIMIT :bound),
ranked AS (
    SELECT job_id, row_number() OVER (
               ORDER BY priority + least(:ageing_limit, :ageing_step * floor(
                        greatest(0, extract(epoch FROM now() - enqueued_at)) / :ageing_seconds)) DESC,
                        enqueued_at, job_id) AS position
      FROM considered)
SELECT total.waiting, r.job_id, r.position
  FROM (SELECT count(*) AS waiting FROM ranked) total
  LEFT JOIN ranked r ON r.job_id = ANY(CAST(:ids AS bigint[]))
 ORDER BY r.position
