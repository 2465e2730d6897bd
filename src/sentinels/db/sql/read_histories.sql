-- How long jobs took that were pushed before the first of these, by the same team under the same name.
SELECT g.job_ids, h.took[1] AS low, h.took[2] AS usual, h.took[3] AS high
  FROM (SELECT team_id, name, min(id) AS first, array_agg(id) AS job_ids
          FROM jobs WHERE id = ANY(CAST(:job_ids AS bigint[]))
         GROUP BY team_id, name) g
 CROSS JOIN LATERAL (
       SELECT percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (
                  ORDER BY extract(epoch FROM r.finished_at - r.started_at)) AS took,
              count(*) AS number
         FROM (SELECT p.state, p.started_at, p.finished_at FROM jobs p
                WHERE p.team_id = g.team_id AND p.name = g.name AND p.id < g.first
                ORDER BY p.id DESC LIMIT 100) r
        WHERE r.state = 'succeeded' AND r.started_at IS NOT NULL) h
 WHERE h.number >= 3
