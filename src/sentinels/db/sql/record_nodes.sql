-- Remember what the cluster reported, so that a push can be held against it, and say what operators
-- want of which node. One that is to be closed is not ready from here on, whatever the cluster says:
-- nobody gives it work any more.
WITH seen AS (
    INSERT INTO nodes (name, cpu_millis, memory_bytes, gpus, gpu_type, ready, foreign_use, slots,
                       detail, architecture, seen_at)
    SELECT r.name, r.cpu_millis, r.memory_bytes, r.gpus, r.gpu_type, r.ready, r.foreign_use, r.slots,
           r.detail, r.architecture, now()
      FROM jsonb_to_recordset(CAST(:nodes AS jsonb))
           AS r(name text, cpu_millis bigint, memory_bytes bigint, gpus int, gpu_type text,
                ready boolean, foreign_use jsonb, slots int, detail text,
                architecture text)
    ON CONFLICT (name) DO UPDATE
       SET cpu_millis = excluded.cpu_millis, memory_bytes = excluded.memory_bytes,
           gpus = excluded.gpus, gpu_type = excluded.gpu_type,
           ready = excluded.ready AND nodes.wish IS DISTINCT FROM 'close',
           foreign_use = excluded.foreign_use, slots = excluded.slots, detail = excluded.detail,
           architecture = excluded.architecture, seen_at = excluded.seen_at
    RETURNING name, wish),
gone AS (
    DELETE FROM nodes
     WHERE name NOT IN (SELECT name FROM seen) AND seen_at < now() - interval '5 seconds')
SELECT name, wish FROM seen WHERE wish IS NOT NULL
