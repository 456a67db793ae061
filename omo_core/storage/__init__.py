"""Storage: engine profiles, the tables, operation keys, inbox, outbox and migrations.

The story. A `Database` knows one URL, its engine profile (SQLite or PostgreSQL) and the schema version. It runs
whole transactions: `database.run(pool, work)` opens one, calls `work(tx)`, commits, and runs it again from the start
on a serialisation failure, deadlock, lock time-out or lost connection (at most five times, jittered).
A `Transaction` is what every other room takes as its first argument: a connection, the pool, one `now`
read once from the injected clock (or the database), an id source, and set-based helpers that are the same on both
engines:

    tx.connection              SQLAlchemy Core connection, for statements of your own
    tx.pool                    str; equality on pool_id stands in every WHERE
    tx.now, tx.now_us          aware UTC datetime, or microseconds; the same in the whole transaction
    tx.new_id()                UUIDv7 text
    tx.insert(table, rows)     many rows of one table (list of dicts, all with the same keys; pool_id is added)
    tx.insert_tuples(table, names, rows)   the same from tuples, for hot paths
    tx.insert_new(table, rows) those whose primary key is free; returns the keys inserted
    tx.update(table, rows, keys=(…), changes=(…))   set-based UPDATE by key columns; returns rows matched. Both may map
                               a column to its name in `rows`: changes={"version": "next_version"}
    tx.select(table, columns, keys, values, *, lock=False)  rows whose key columns are in `values` (list of tuples),
                               in key order, each a tuple with named attributes; `lock` takes FOR UPDATE in that order
                               on PostgreSQL (SQLite holds the file's write lock anyway)
    tx.ask(…)                  `select` whose answer is not waited for: a call that returns plain tuples. What is asked one
                               after the other shares a round trip to PostgreSQL until the first answer is needed
    with tx.sent_ahead(): …    inserts and `tx.update_exactly(…)` of the block share one as well
    tx.publish(type, subject, data), tx.publish_many(facts)   outbox rows, written right before the commit; version
                               counted per subject

Values are checked, not converted: an INTEGER column takes `int` (no bool, no float), TEXT takes `str` without NUL.
`database.read(pool, work)` is `run` on one consistent snapshot that may not write; `database.transaction(pool)` is a
`with` block that does not repeat itself. A thread has one transaction open at a time.

`operations` answers a repeated key with the stored answer: `find(tx, [(scope, key), …])` first of all, `record(tx,
[Operation, …])` at the end, or `Keyed(tx, commands)` for both; `inbox` remembers received bytes; `outbox` is read in
an order that cannot miss a row. Instants are stored as INTEGER/BIGINT microseconds since 1970 UTC on both engines, ids
as text (which sorts by code point on both), documents as JSON text: so both engines hold the same bytes and compare
alike. Postings cannot be updated or deleted: triggers on SQLite, REVOKE on PostgreSQL.
"""
