-- How well starts were foreseen that were first expected between two moments: how many started within
-- the range that was told first, sooner or later, and how wide the ranges were. Left out: those of
-- which nobody could say when at the latest.
WITH asked AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:by AS text) AS by, CAST(:team AS text) AS team),
told AS (
    SELECT CASE q.by WHEN 'team' THEN p.team WHEN 'user' THEN p."user" ELSE p.experiment END AS who,
           p.job, p.outcome,
           CAST(extract(epoch FROM p.late - p.early) AS double precision) AS width_seconds,
           CAST(extract(epoch FROM p.started_at - p.late) AS double precision) AS late_seconds
      FROM asked q
      JOIN v_predictions p ON p.predicted_at >= q.since AND p.predicted_at < q.until
     WHERE (q.team IS NULL OR p.team = q.team)
       AND p.is_first AND p.started_at IS NOT NULL AND p.late IS NOT NULL)
SELECT who, count(*) AS started,
       count(*) FILTER (WHERE outcome = 'held') AS held,
       count(*) FILTER (WHERE outcome = 'sooner') AS sooner,
       count(*) FILTER (WHERE outcome = 'later') AS later,
       100.0 * count(*) FILTER (WHERE outcome = 'held') / count(*) AS held_percent,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY width_seconds) AS width_seconds,
       max(late_seconds) FILTER (WHERE outcome = 'later') AS latest_seconds,
       (array_agg(job ORDER BY late_seconds DESC, job) FILTER (WHERE outcome = 'later'))[1]
           AS latest_job
  FROM told
 GROUP BY who
 ORDER BY held_percent, who
