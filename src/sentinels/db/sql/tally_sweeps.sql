-- How many jobs of each of these sweeps are in which state.
SELECT sweep_id, state, count(*) AS jobs FROM jobs
 WHERE sweep_id = ANY(CAST(:sweeps AS bigint[])) GROUP BY sweep_id, state ORDER BY sweep_id, state
