-- The size of every database of this server that we may enter: they share its volume.
SELECT coalesce(sum(pg_database_size(oid)), 0) AS bytes
  FROM pg_database WHERE datallowconn AND has_database_privilege(oid, 'CONNECT')
