"""The database: one short unit of work, the fence by company, roles, migrations."""
