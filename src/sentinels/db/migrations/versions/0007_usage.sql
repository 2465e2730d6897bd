-- Usage.
SELECT 1;
