-- Conditions.
SELECT 1;
