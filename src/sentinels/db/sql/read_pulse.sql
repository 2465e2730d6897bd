-- How the whole does, in bounded work: counts stop at :bound.
SELECT (SELECT count(*) FROM (SELECT FROM queue LIMIT :bound) q) AS waiting,
       (SELECT count(*) FROM (SELECT FROM deferred LIMIT :bound) d) AS deferred,
       (SELECT extract(epoch FROM now() - min(h.enqueued_at))
          FROM lanes l
         CROSS JOIN LATERAL (
               SELECT q.enqueued_at FROM queue q
                WHERE q.lane_id = l.id AND q.job_id >= l.low_job_id
                ORDER BY q.job_id LIMIT 1) h
         WHERE l.ready) AS oldest_waiting_seconds,
       live.dispatched, live.running, live.abandoned,
       coalesce(pass.id, 0) AS passes, pass.seconds AS last_pass_seconds,
       pass.error AS last_pass_error,
       (SELECT coalesce(sum(launched), 0) FROM passes
         WHERE at > now() - interval '1 hour') AS launches,
       (SELECT count(*) FROM (SELECT FROM outbox WHERE due_at IS NOT NULL LIMIT :bound) o)
           AS outbox_pending,
       (SELECT coalesce(extract(epoch FROM now() - min(greatest(o.due_at, r.next_at))), 0)
          FROM outbox o
          LEFT JOIN recipients r
            ON o.channel = 'messenger' AND r.address = coalesce(o.recipient, '')
         WHERE o.due_at <= now() AND coalesce(r.next_at <= now(), true)) AS outbox_overdue_seconds,
       (SELECT o.error FROM (SELECT error, tries FROM outbox WHERE due_at IS NOT NULL LIMIT :bound) o
         WHERE o.error IS NOT NULL ORDER BY o.tries DESC LIMIT 1) AS outbox_error,
       heard.signs,
       -- A Job event is due within half a minute of a move; a sign may be ten seconds late.
       (SELECT coalesce(sum(settled), 0) FROM passes
         WHERE at > greatest(heard.events + interval '60 seconds', now() - interval '1 hour')
           AND at < now() - interval '30 seconds') AS unheard,
       letters.dead_letters, letters.fresh_dead_letters,
       coalesce(letter.type, '') AS dead_letter_type,
       coalesce(concat_ws(', ', letter.code, letter.detail), '') AS dead_letter_why
  FROM (SELECT count(*) FILTER (WHERE j.state = 'dispatched') AS dispatched,
               count(*) FILTER (WHERE j.state = 'running') AS running,
               coalesce(array_agg(a.job_id ORDER BY a.job_id) FILTER (
                   WHERE a.lease_until < now() - interval '60 seconds'), '{}') AS abandoned
          FROM attempts a JOIN jobs j ON j.id = a.job_id
         WHERE NOT a.released AND a.live) live
  LEFT JOIN (SELECT id, extract(epoch FROM now() - at) AS seconds, error
               FROM passes ORDER BY id DESC LIMIT 1) pass ON true
 CROSS JOIN (SELECT coalesce(jsonb_object_agg(name, extract(epoch FROM now() - at)), '{}') AS signs,
                    coalesce(max(at) FILTER (WHERE name = 'events:jobs'),
                             min(since), now()) AS events
               FROM signs) heard
 CROSS JOIN (SELECT count(*) FILTER (WHERE at > now() - interval '1 day') AS dead_letters,
                    count(*) FILTER (WHERE at > now() - interval '1 hour') AS fresh_dead_letters
               FROM dead_letters) letters
  LEFT JOIN (SELECT type, code, detail FROM dead_letters ORDER BY id DESC LIMIT 1) letter ON true
