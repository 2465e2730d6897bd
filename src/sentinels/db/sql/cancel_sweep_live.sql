-- Ask for the end of a sweep's live jobs that nobody asked to end yet; how many, and how many of the
-- sweep wait now: a claim may have given one back meanwhile.
WITH asked AS (
    UPDATE jobs SET cancel_requested_at = now(), cancel_actor = :actor
     WHERE sweep_id = :sweep_id AND team_id = :team_id AND cancel_requested_at IS NULL
       AND state IN ('dispatched', 'running')
    RETURNING id)
SELECT (SELECT count(*) FROM asked) AS asked,
       (SELECT count(*) FROM jobs WHERE sweep_id = :sweep_id AND team_id = :team_id
           AND state = 'queued') AS waiting
