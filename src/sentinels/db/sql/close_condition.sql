-- A condition is over; no row back: somebody else closed it.
UPDATE conditions SET resolved_at = now() WHERE id = :id AND resolved_at IS NULL
RETURNING id
