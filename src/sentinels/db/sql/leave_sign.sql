INSERT INTO signs (name) VALUES (:name)
ON CONFLICT (name) DO UPDATE SET at = now()
