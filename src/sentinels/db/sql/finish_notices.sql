-- Notices are over: delivered, kept (nothing brings them) or failed for good.
UPDATE outbox SET state = :state, due_at = NULL, error = CAST(:error AS text),
                  tries = tries + CASE WHEN :state = 'kept' THEN 0 ELSE 1 END,
                  delivered_at = CASE WHEN :state = 'delivered' THEN now() END
 WHERE id = ANY(CAST(:ids AS bigint[])) AND state = 'pending'
