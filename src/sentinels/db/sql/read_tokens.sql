-- Tokens of people whom the caller may be, newest first; what has been over for long is left out.
SELECT k.id, u.name AS "user", k.name, k.created_at, k.expires_at, k.last_used_at, k.revoked_at
  FROM tokens k JOIN users u ON u.id = k.user_id
 WHERE k.kind = 'token'
   AND (CAST(:user_id AS int) IS NULL OR k.user_id = CAST(:user_id AS int))
   AND (CAST(:user_name AS text) IS NULL OR u.name = CAST(:user_name AS text))
   AND (CAST(:token_id AS bigint) IS NULL OR k.id = CAST(:token_id AS bigint))
 ORDER BY k.id DESC LIMIT 1000
