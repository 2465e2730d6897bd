-- The pending deliveries of each channel, :bound in all at most, and how long the oldest of those that
-- were due once waits: tries that failed put off when it is due, and it waits all the same.
SELECT channel, count(*) AS pending,
       coalesce(extract(epoch FROM now() - min(created_at)
                        FILTER (WHERE tries > 0 OR due_at <= now())), 0) AS lag_seconds
  FROM (SELECT channel, due_at, created_at, tries FROM outbox WHERE due_at IS NOT NULL
         ORDER BY due_at LIMIT :bound) pending
 GROUP BY channel
