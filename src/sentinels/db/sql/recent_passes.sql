-- The passes of the last two minutes, the newest first, as far as pace depends on them.
SELECT extract(epoch FROM now() - at) AS seconds_ago, launched, unstarted
  FROM passes WHERE at > now() - interval '2 minutes' AND error IS NULL
 ORDER BY at DESC LIMIT 50
