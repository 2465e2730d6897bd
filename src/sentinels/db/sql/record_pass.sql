-- One row a dispatch pass, the heartbeat; a week of them is kept.
WITH old AS (DELETE FROM passes WHERE at < now() - interval '7 days')
INSERT INTO passes (settled, launched, waiting_lanes, milliseconds, unstarted, error)
VALUES (:settled, :launched, :waiting_lanes, :milliseconds, :unstarted, CAST(:error AS text))
