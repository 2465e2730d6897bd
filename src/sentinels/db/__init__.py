"""Everything PostgreSQL: tables, named statements, repositories, migrations.

The only importer of SQLAlchemy and psycopg. Start at ``tables``, then ``sql/``.
"""
