-- Remember what the cluster reported, so that a push can be held against it.
WITH seen AS (
    INSERT INTO nodes (name, cpu_millis, memory_bytes, gpus, gpu_type, ready, foreign_use, seen_at)
    SELECT r.name, r.cpu_millis, r.memory_bytes, r.gpus, r.gpu_type, r.ready, r.foreign_use, now()
      FROM jsonb_to_recordset(CAST(:nodes AS jsonb))
           AS r(name text, cpu_millis bigint, memory_bytes bigint, gpus int, gpu_type text,
                ready boolean, foreign_use jsonb)
    ON CONFLICT (name) DO UPDATE
       SET cpu_millis = excluded.cpu_millis, memory_bytes = excluded.memory_bytes,
           gpus = excluded.gpus, gpu_type = excluded.gpu_type, ready = excluded.ready,
           foreign_use = excluded.foreign_use, seen_at = excluded.seen_at
    RETURNING name)
DELETE FROM nodes WHERE name NOT IN (SELECT name FROM seen) AND seen_at < now() - interval '5 seconds'
