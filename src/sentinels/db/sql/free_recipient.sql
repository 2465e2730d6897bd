-- A recipient was not told anything: whoever comes next may.
UPDATE recipients SET next_at = now() WHERE address = :address
