-- Ask for the end of a sweep's live jobs that nobody asked to end yet; how many, and how many of the
-- sweep wait now: a claim may have given one back meanwhile.
WITH asked AS (
    UPDATE jobs SET cancel_requested_at = now(), cancel_actor = :actor
     WHERE sweep_id = :sweep_id AND cancel_requested_at IS NULL
       AND (CAST(:team_id AS int) IS NULL OR team_id = CAST(:team_id AS int))
       AND (CAST(:user_id AS int) IS NULL OR user_id = CAST(:user_id AS int))
       AND state IN ('dispatched', 'running')
    RETURNING id)
SELECT (SELECT count(*) FROM asked) AS asked,
       (SELECT count(*) FROM jobs WHERE sweep_id = :sweep_id AND state = 'queued'
           AND (CAST(:team_id AS int) IS NULL OR team_id = CAST(:team_id AS int))
           AND (CAST(:user_id AS int) IS NULL OR user_id = CAST(:user_id AS int))) AS waiting
