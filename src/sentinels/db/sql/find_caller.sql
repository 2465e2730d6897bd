-- Whose token of this kind this is, and since when it is over; that it is used is kept to the minute.
WITH used AS (
    UPDATE tokens SET last_used_at = now()
     WHERE digest IN (
           SELECT k.digest FROM tokens k
            WHERE k.digest = :digest AND k.kind = :kind AND k.revoked_at IS NULL
              AND (k.expires_at IS NULL OR k.expires_at > now())
              AND (k.last_used_at IS NULL OR k.last_used_at < now() - interval '1 minute')
              FOR UPDATE SKIP LOCKED))
SELECT u.id AS user_id, u.name AS user_name, u.role, t.id AS team_id, t.name AS team,
       k.id AS token_id, k.name AS token_name, k.revoked_at,
       CASE WHEN k.expires_at <= now() THEN k.expires_at END AS expired_at
  FROM tokens k
  JOIN users u ON u.id = k.user_id
  JOIN teams t ON t.id = u.team_id
 WHERE k.digest = :digest AND k.kind = :kind
