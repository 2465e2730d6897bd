-- An open condition is told now; no row back: somebody else did.
UPDATE conditions SET told_at = now(), facts = CAST(:facts AS jsonb)
 WHERE id = :id AND told_at IS NULL AND resolved_at IS NULL
RETURNING id
