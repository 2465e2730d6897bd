-- Find or make the row of one distinct resource request.
WITH found AS (
    SELECT id FROM shapes
     WHERE cpu_millis = :cpu_millis AND memory_bytes = :memory_bytes
       AND gpus = :gpus AND gpu_type = :gpu_type),
made AS (
    INSERT INTO shapes (cpu_millis, memory_bytes, gpus, gpu_type)
    SELECT :cpu_millis, :memory_bytes, :gpus, :gpu_type WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (cpu_millis, memory_bytes, gpus, gpu_type) DO UPDATE SET gpus = excluded.gpus
    RETURNING id)
SELECT id FROM found UNION ALL SELECT id FROM made
