-- What of a job could not be delivered yet: by channel, what the last try met with.
SELECT DISTINCT ON (channel) channel, error
  FROM outbox
 WHERE job_id = :job_id AND due_at IS NOT NULL AND error IS NOT NULL
 ORDER BY channel, id DESC
