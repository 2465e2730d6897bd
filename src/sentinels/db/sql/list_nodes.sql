-- The nodes as the last pass saw them.
SELECT name, cpu_millis, memory_bytes, gpus, gpu_type, ready, foreign_use, slots, detail, architecture,
       wish
  FROM nodes ORDER BY name
