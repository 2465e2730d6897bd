-- An operator wants the node closed or open.
UPDATE nodes SET wish = :wish WHERE name = :name RETURNING name
