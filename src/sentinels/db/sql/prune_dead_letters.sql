-- The newest :most are kept, of the last :days days.
DELETE FROM dead_letters
 WHERE at < now() - make_interval(days => :days)
    OR id <= (SELECT id FROM dead_letters ORDER BY id DESC OFFSET :most LIMIT 1)
