-- A recipient was told something: leave them alone for a while, the longer the more they are told.
UPDATE recipients r
   SET failures = 0, told_at = now(), gap_seconds = n.gap,
       next_at = now() + make_interval(secs => n.gap)
  FROM (SELECT address, CASE
               WHEN told_at > now() - make_interval(secs => gap_seconds + 20)
               THEN least(:most, greatest(:least, gap_seconds * 2)) ELSE :least END AS gap
          FROM recipients WHERE address = :address) n
 WHERE r.address = n.address
