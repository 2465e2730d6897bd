-- Take a recipient for :lease_seconds, if they may be told something now.
INSERT INTO recipients AS r (address, next_at)
VALUES (:address, now() + make_interval(secs => :lease_seconds))
ON CONFLICT (address) DO UPDATE SET next_at = excluded.next_at WHERE r.next_at <= now()
RETURNING r.address
