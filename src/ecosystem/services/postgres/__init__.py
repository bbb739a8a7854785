"""postgres-service owns what is known about the PostgreSQL cluster: health, capabilities, statistics, migrations.
It refuses to show what others ask the database: numbers only, no statement, no row, no company.
It tells nobody by event; its measures go to /metrics, where an alarm on the age of the horizon belongs.
"""
