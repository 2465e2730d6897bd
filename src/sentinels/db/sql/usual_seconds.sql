-- How long jobs took that were pushed before these, by the same team under the same name.
SELECT j.id AS job_id, h.seconds
  FROM jobs j
 CROSS JOIN LATERAL (
       SELECT percentile_cont(0.5) WITHIN GROUP (
                  ORDER BY extract(epoch FROM r.finished_at - r.started_at)) AS seconds,
              count(*) AS number
         FROM (SELECT p.state, p.started_at, p.finished_at FROM jobs p
                WHERE p.team_id = j.team_id AND p.name = j.name AND p.id < j.id
                ORDER BY p.id DESC LIMIT 100) r
        WHERE r.state = 'succeeded' AND r.started_at IS NOT NULL) h
 WHERE j.id = ANY(CAST(:job_ids AS bigint[])) AND h.number >= 3
