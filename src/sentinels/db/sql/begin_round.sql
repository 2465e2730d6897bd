-- Begin the next round of what is looked at now and then, if it is time; one process does.
INSERT INTO rounds AS r (name) VALUES (:name)
ON CONFLICT (name) DO UPDATE SET at = now()
 WHERE r.at <= now() - make_interval(secs => :every_seconds)
RETURNING r.name
