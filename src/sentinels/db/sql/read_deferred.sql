-- Those of these jobs that may not be considered yet, with what they wait for.
SELECT d.job_id, d.not_before,
       ARRAY(SELECT o.id FROM jsonb_array_elements_text(d.waits_for) w
               JOIN jobs o ON o.id = CAST(w AS bigint)
              WHERE o.state <> 'succeeded' ORDER BY o.id) AS waits_for
  FROM deferred d WHERE d.job_id = ANY(CAST(:ids AS bigint[]))
