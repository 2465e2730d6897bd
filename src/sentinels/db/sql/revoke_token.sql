-- End a token of somebody whom the caller may be, and the browsers' sessions of its user.
WITH ended AS (
    UPDATE tokens SET revoked_at = now()
     WHERE id = :token_id AND kind = 'token' AND revoked_at IS NULL
       AND (CAST(:user_id AS int) IS NULL OR user_id = CAST(:user_id AS int))
    RETURNING id, user_id),
closed AS (
    DELETE FROM tokens k USING ended e WHERE k.user_id = e.user_id AND k.kind <> 'token')
SELECT e.id, u.team_id FROM ended e JOIN users u ON u.id = e.user_id
