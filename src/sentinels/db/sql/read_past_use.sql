-- What the last runs of a team's jobs of one name used at most, of those that were measured.
SELECT count(*) AS runs, max(peak_memory_bytes) AS peak_memory_bytes,
       max(peak_cpu_cores) AS peak_cpu_cores
  FROM (SELECT a.peak_memory_bytes, a.peak_cpu_cores
          FROM (SELECT id, attempt, state FROM jobs
                 WHERE team_id = :team_id AND name = :name
                 ORDER BY id DESC LIMIT 100) j
          JOIN attempts a ON a.job_id = j.id AND a.attempt = j.attempt
         WHERE j.state = 'succeeded' AND a.peak_memory_bytes IS NOT NULL
         ORDER BY j.id DESC LIMIT 10) r
