-- The node was opened as an operator wished; a newer wish stays.
UPDATE nodes SET wish = NULL WHERE name = :name AND wish = 'open'
