-- Dossiers.
SELECT 1;
