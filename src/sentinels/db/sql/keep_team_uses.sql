-- Keep what each team held lately; only the holder of the dispatch lock runs this.
INSERT INTO team_uses (team_id, cpu_millis, memory_bytes, gpus, gpu_hours)
SELECT t.id, r.cpu_millis, r.memory_bytes, r.gpus, r.gpu_hours
  FROM jsonb_to_recordset(CAST(:uses AS jsonb))
       AS r(team text, cpu_millis double precision, memory_bytes double precision,
            gpus double precision, gpu_hours double precision)
  JOIN teams t ON t.name = r.team
ON CONFLICT (team_id) DO UPDATE
   SET cpu_millis = excluded.cpu_millis, memory_bytes = excluded.memory_bytes,
       gpus = excluded.gpus, gpu_hours = excluded.gpu_hours,
       month = CAST(date_trunc('month', now() AT TIME ZONE 'UTC') AS date), at = now()
