-- How many jobs of a team wait, deferred ones too, counted up to :most.
SELECT count(*) FROM (
       SELECT FROM queue q JOIN lanes l ON l.id = q.lane_id WHERE l.team_id = :team_id
        UNION ALL
       SELECT FROM deferred d JOIN lanes l ON l.id = d.lane_id WHERE l.team_id = :team_id
        LIMIT :most) waiting
