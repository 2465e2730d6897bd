-- The public views that the asking role may read, each with its columns and what they mean.
SELECT c.relname AS view, obj_description(c.oid, 'pg_class') AS view_about,
       a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
       coalesce(col_description(c.oid, a.attnum), '') AS about
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = 'public' AND c.relkind = 'v' AND c.relname ~ '^v_'
   AND has_table_privilege(c.oid, 'SELECT')
 ORDER BY c.relname, a.attnum
