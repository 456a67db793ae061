"""Storage: engine profiles, the tables, operation keys, inbox, outbox and migrations.

The story. A `Database` knows one URL, its engine profile (SQLite or PostgreSQL) and the schema version. It runs
whole transactions: `database.run(pool, work)` opens one, calls `work(tx)`, commits, and runs it again from the start
on a serialisation failure, deadlock, lock time-out or lost connection (at most five times, jittered).
A `Transaction` is what every other room takes as its first argument: a connection, the pool, one `now`
read once from the injected clock (or the database), an id source, and set-based helpers that are the same on both
engines:

    tx.connection              SQLAlchemy Core connection
    tx.pool                    str; equality on pool_id stands in every WHERE
    tx.now                     aware UTC datetime, the same in the whole transaction
    tx.new_id()                UUIDv7 text
    tx.insert(table, rows)     many rows of one table (list of dicts, all with the same keys; pool_id is added)
    tx.update(table, keys=(…), changes=(…), rows)   set-based UPDATE by key columns; returns rows matched
    tx.select(table, columns, keys, values, *, lock=False)  rows whose key columns are in `values` (list of tuples),
                               in key order; `lock` takes FOR UPDATE in that order on PostgreSQL (SQLite holds the
                               file's write lock anyway)
    tx.publish(type, subject, data)   one outbox row; version counted per subject

`operations` answers a repeated key with the stored answer; `inbox` remembers received bytes; `outbox` is read in an
order that cannot miss a row. Instants are stored as INTEGER/BIGINT microseconds since 1970 UTC on both engines, ids as
text, documents as JSON text: so both engines hold the same bytes and compare alike.
"""
