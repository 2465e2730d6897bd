-- What on-call was told of and is not over.
SELECT line FROM conditions WHERE resolved_at IS NULL AND told_at IS NOT NULL ORDER BY id LIMIT 50
