-- The passes of the last two minutes as far as pace depends on them, the newest first. They looked
-- when they began. One that looked while another was launching says nothing about pace, nor
-- does one that broke off before it had looked.
WITH recent AS (
    SELECT at, at - milliseconds * interval '1 millisecond' AS begun, launched, unstarted
      FROM passes
     WHERE at > now() - interval '2 minutes'
       AND (error IS NULL OR launched > 0 OR unstarted > 0))
SELECT extract(epoch FROM now() - begun) AS seconds_ago, launched, unstarted
  FROM recent r
 WHERE NOT EXISTS (SELECT FROM recent o
                    WHERE o.launched > 0 AND o.begun < r.begun AND o.at > r.begun)
 ORDER BY begun DESC LIMIT 50
