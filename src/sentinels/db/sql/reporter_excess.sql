-- What the role :role may do besides reading the views; null where that is nothing.
SELECT CASE
       WHEN r.rolsuper THEN 'it is a superuser'
       WHEN r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
       THEN 'it has rights over the whole server'
       WHEN (SELECT count(*) > 0 FROM pg_auth_members m WHERE m.member = r.oid)
       THEN 'it is a member of other roles'
       WHEN has_database_privilege(r.oid, current_database(), 'CREATE')
       THEN 'it may create schemas'
       ELSE (SELECT 'it may do more than read views: ' || string_agg(found.what, ', ')
               FROM (SELECT 'create in ' || n.nspname AS what FROM pg_namespace n
                      WHERE n.nspname !~ '^pg_' AND has_schema_privilege(r.oid, n.oid, 'CREATE')
                      UNION ALL
                     SELECT 'use ' || c.relname
                       FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                      WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                        AND CASE
                            WHEN c.relkind = 'S'
                            THEN has_sequence_privilege(r.oid, c.oid, 'USAGE, SELECT, UPDATE')
                            WHEN c.relkind = 'v' AND c.relname ~ '^v_'
                            THEN has_table_privilege(r.oid, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
                            WHEN c.relkind IN ('r', 'p', 'f', 'm', 'v')
                            THEN has_table_privilege(r.oid, c.oid,
                                     'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
                              OR has_any_column_privilege(r.oid, c.oid,
                                     'SELECT, INSERT, UPDATE, REFERENCES')
                            ELSE false END
                      UNION ALL
                     SELECT 'run ' || p.proname || ' with its owner''s rights'
                       FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                      WHERE n.nspname <> 'pg_catalog' AND p.prosecdef
                        AND has_function_privilege(r.oid, p.oid, 'EXECUTE')
                      LIMIT 5) found)
       END AS excess
  FROM pg_roles r WHERE r.rolname = :role
