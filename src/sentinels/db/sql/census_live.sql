-- Every team's live attempts, and what they hold.
SELECT t.name AS team, count(*) AS live, sum(s.cpu_millis) AS cpu_millis,
       sum(s.memory_bytes) AS memory_bytes, sum(s.gpus) AS gpus
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN teams t ON t.id = j.team_id
  JOIN shapes s ON s.id = a.shape_id
 WHERE NOT a.released AND a.live
 GROUP BY t.name
