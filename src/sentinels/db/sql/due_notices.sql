-- What a recipient is due to be told, now and in a moment, the oldest first, and what it is about.
SELECT o.id, o.job_id, o.attempt, o.kind, o.body, o.tries, o.created_at,
       j.name, j.state, coalesce(a.reason, j.reason) AS reason, a.exit_code, j.sweep_id,
       u.name AS user_name, t.name AS team,
       c.name AS condition, c.since, c.facts
  FROM outbox o
  LEFT JOIN jobs j ON j.id = o.job_id
  LEFT JOIN users u ON u.id = j.user_id
  LEFT JOIN teams t ON t.id = j.team_id
  LEFT JOIN attempts a ON a.job_id = o.job_id AND a.attempt = o.attempt
  LEFT JOIN conditions c ON c.id = o.condition_id
 WHERE o.channel = 'messenger' AND o.due_at <= now() + make_interval(secs => :ahead_seconds)
   AND (o.recipient = :address OR (o.recipient IS NULL AND :address = ''))
 ORDER BY o.id LIMIT :most
