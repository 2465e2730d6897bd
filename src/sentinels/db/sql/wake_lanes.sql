-- Mark lanes that hold rows but are not ready: the repair for a wake that was lost.
UPDATE lanes l SET ready = true
 WHERE NOT l.ready AND EXISTS (SELECT FROM queue q WHERE q.lane_id = l.id)
