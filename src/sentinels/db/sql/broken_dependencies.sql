-- Deferred jobs whose dependency ended without success, with that dependency.
SELECT d.job_id, j.attempt, f.id AS dependency, f.state AS dependency_state
  FROM deferred d
  JOIN jobs j ON j.id = d.job_id
 CROSS JOIN LATERAL (
       SELECT o.id, o.state FROM jsonb_array_elements_text(d.waits_for) w
         JOIN jobs o ON o.id = CAST(w AS bigint)
        WHERE o.state IN ('failed', 'cancelled') ORDER BY o.id LIMIT 1) f
