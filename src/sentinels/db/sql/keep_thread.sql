-- Remember a sweep's thread with a recipient.
INSERT INTO threads (sweep_id, address, place, ts) VALUES (:sweep_id, :address, :place, :ts)
ON CONFLICT (sweep_id, address) DO UPDATE SET place = excluded.place, ts = excluded.ts
