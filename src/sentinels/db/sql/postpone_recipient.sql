-- A recipient could not be told: try again later.
UPDATE recipients SET failures = failures + 1,
                      next_at = now() + make_interval(secs => :after_seconds)
 WHERE address = :address
