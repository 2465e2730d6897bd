-- In how many seconds somebody may be told something.
SELECT extract(epoch FROM min(greatest(w.since, coalesce(r.next_at, w.since))) - now()) AS seconds
  FROM (SELECT coalesce(recipient, '') AS address, min(due_at) AS since FROM outbox
         WHERE channel = 'messenger' AND due_at IS NOT NULL GROUP BY recipient) w
  LEFT JOIN recipients r ON r.address = w.address
