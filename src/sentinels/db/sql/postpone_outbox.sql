-- A delivery did not go through: try again later.
UPDATE outbox SET due_at = now() + make_interval(secs => :after_seconds), error = :error
 WHERE id = :id AND state = 'pending'
