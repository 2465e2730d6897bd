-- The attempts that ended without success between two moments, the most hours lost first, each reason
-- with the sentence that was said most often. What people cancelled is left out.
WITH asked AS (
    SELECT CAST(:since AS timestamptz) AS since, CAST(:until AS timestamptz) AS until,
           CAST(:by AS text) AS by, CAST(:team AS text) AS team)
SELECT CASE q.by WHEN 'team' THEN f.team WHEN 'user' THEN f."user" ELSE f.experiment END AS who,
       f.reason, f.reason_class, count(*) AS attempts, count(DISTINCT f.job) AS jobs,
       count(DISTINCT f.job) FILTER (WHERE f.job_became = 'failed') AS jobs_failed,
       round(CAST(sum(f.held_hours) AS numeric), 3) AS lost_hours,
       round(CAST(sum(f.cpu_hours) AS numeric), 3) AS lost_cpu_hours,
       round(CAST(sum(f.gpu_hours) AS numeric), 3) AS lost_gpu_hours,
       mode() WITHIN GROUP (ORDER BY f.message) AS mostly, max(f.job) AS last_job
  FROM asked q
  JOIN v_failures f ON f.finished_at >= q.since AND f.finished_at < q.until
 WHERE (q.team IS NULL OR f.team = q.team) AND f.reason_class <> 'operator'
 GROUP BY 1, f.reason, f.reason_class
 ORDER BY lost_hours DESC, attempts DESC, who, f.reason
