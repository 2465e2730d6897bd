-- Keep why lanes were not admitted; a row only where the answer changed.
INSERT INTO decisions (lane_id, code, sentence, facts)
SELECT r.lane_id, r.code, r.sentence, r.facts
  FROM jsonb_to_recordset(CAST(:decisions AS jsonb))
       AS r(lane_id int, code text, sentence text, facts jsonb)
  LEFT JOIN LATERAL (
       SELECT d.code, d.sentence FROM decisions d WHERE d.lane_id = r.lane_id
        ORDER BY d.id DESC LIMIT 1) last ON true
 WHERE last.code IS DISTINCT FROM r.code OR last.sentence IS DISTINCT FROM r.sentence
