-- The pending deliveries of each channel, :bound in all at most, and how long the oldest due one of
-- it has not been taken.
SELECT channel, count(*) AS pending,
       greatest(0, extract(epoch FROM now() - min(due_at))) AS overdue_seconds
  FROM (SELECT channel, due_at FROM outbox WHERE due_at IS NOT NULL
         ORDER BY due_at LIMIT :bound) pending
 GROUP BY channel
