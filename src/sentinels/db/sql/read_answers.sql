-- For waiting jobs: the last answer their lane got, and whether a pass has begun since they queued.
SELECT j.id AS job_id, d.sentence,
       EXISTS (SELECT FROM passes p
                WHERE p.at > e.at AND p.error IS NULL
                  AND p.at - make_interval(secs => p.milliseconds / 1000) > e.at) AS considered
  FROM jobs j
 CROSS JOIN LATERAL (
       SELECT e.at FROM job_events e
        WHERE e.job_id = j.id ORDER BY e.id DESC LIMIT 1) e
  LEFT JOIN lanes l
    ON l.team_id = j.team_id AND l.priority = j.priority AND l.shape_id = j.shape_id
  LEFT JOIN LATERAL (
       SELECT d.sentence FROM decisions d WHERE d.lane_id = l.id ORDER BY d.id DESC LIMIT 1) d
    ON true
 WHERE j.id = ANY(CAST(:ids AS bigint[]))
