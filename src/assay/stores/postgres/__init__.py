"""Studies in a PostgreSQL database, for many machines (extra `postgres`).

All writing is done by functions in the database (`scripts`), each in one round trip. `link` holds the
connection and is the only module that imports psycopg.
"""
