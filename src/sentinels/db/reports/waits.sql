-- How long the jobs pushed between two moments waited for their first start, the longest first. One
-- that still waits counts with its wait so far. Left out: jobs that waited for other jobs ("after"),
-- and those that ended without a start.
WITH asked AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:by AS text) AS by, CAST(:team AS text) AS team),
waited AS (
    SELECT CASE q.by WHEN 'team' THEN w.team WHEN 'user' THEN w."user" ELSE w.experiment END AS who,
           w.job, w.outcome, CAST(w.waited_seconds AS double precision) AS seconds
      FROM asked q
      JOIN v_waits w ON w.pushed_at >= q.since AND w.pushed_at < q.until
     WHERE (q.team IS NULL OR w.team = q.team)
       AND w.outcome <> 'never started' AND w.starts_after IS NULL)
SELECT who, count(*) FILTER (WHERE outcome = 'started') AS started,
       count(*) FILTER (WHERE outcome = 'waits') AS waiting,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
       percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,
       max(seconds) AS max_seconds,
       (array_agg(job ORDER BY seconds DESC, job))[1] AS longest_job
  FROM waited
 GROUP BY who
 ORDER BY p95_seconds DESC, who
