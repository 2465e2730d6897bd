-- A delivery is over: delivered, kept (nobody to deliver to) or failed for good.
UPDATE outbox SET state = :state, due_at = NULL, error = CAST(:error AS text),
                  delivered_at = CASE WHEN :state = 'delivered' THEN now() END
 WHERE id = :id AND state = 'pending'
