-- Notices to the right person.
SELECT 1;
