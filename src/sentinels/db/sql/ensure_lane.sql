-- Find or make the lane of one team, priority and shape.
WITH found AS (
    SELECT id FROM lanes
     WHERE team_id = :team_id AND priority = :priority AND shape_id = :shape_id),
made AS (
    INSERT INTO lanes (team_id, priority, shape_id)
    SELECT :team_id, :priority, :shape_id WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (team_id, priority, shape_id) DO UPDATE SET priority = excluded.priority
    RETURNING id)
SELECT id FROM found UNION ALL SELECT id FROM made
