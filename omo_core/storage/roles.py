"""What a PostgreSQL role may do with our tables: a service writes but changes no history, a report reads no person."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from sqlalchemy import Connection, Table

from omo_core.model.errors import DatabaseError, InvalidInput
from omo_core.storage import tables
from omo_core.storage.database import Database
from omo_core.storage.schema import VERSION_TABLE


class RoleKind(StrEnum):
    """What a role is for."""

    SERVICE = "service"
    REPORTING = "reporting"


WRITTEN_ONCE: Final = frozenset({tables.posting, tables.acknowledgement, tables.wave, tables.wave_prices})
"""Tables whose rows a service adds and never changes."""

DELETED_FROM: Final = frozenset({tables.operation, tables.safety_rule, tables.quota})
"""Tables from which the library deletes: claims of operation keys that came to nothing, rules, quotas that ended."""

PERSONAL: Final = frozenset({tables.order.c.document, tables.inbox.c.body})
"""Columns that hold what channels say of a person; a reporting role does not see them."""

# Operations must be deletable, or a claim that came to nothing would block its key. Which of them may be is a matter of
# the row: an answer is final, a claim has none. The owner of the tables, who migrates them, is not held to policies.
_POLICIES: Final = (
    ("omo_operation_read", "SELECT USING (true)"),
    ("omo_operation_claim", "INSERT WITH CHECK (true)"),
    ("omo_operation_answer", "UPDATE USING (answer = '') WITH CHECK (true)"),
    ("omo_operation_drop_claim", "DELETE USING (answer = '')"),
)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def statements(role: str, kind: RoleKind = RoleKind.SERVICE, *, schema: str = "public") -> tuple[str, ...]:
    """The SQL that takes everything in our tables from a role and gives it what its kind needs; PostgreSQL only.

    The owner of the tables runs them, again after every migration; the role exists already. Running them twice is
    once. A service opens the database with `migrate="never"` or the default; it can create nothing.
    """
    if not role or "\x00" in role or len(role.encode()) > 63:
        raise InvalidInput("a PostgreSQL role has a name of 1 to 63 bytes; name one that exists")
    ours, place = _quote(role), _quote(schema)
    named = {table: f"{place}.{_quote(table.name)}" for table in tables.metadata.sorted_tables}
    version = f"{place}.{_quote(VERSION_TABLE)}"
    every = ", ".join([*named.values(), version])
    granted = [
        f"GRANT USAGE ON SCHEMA {place} TO {ours}",
        f"REVOKE ALL ON {every} FROM {ours}",
        f"GRANT SELECT ON {version} TO {ours}",
    ]
    for table, name in named.items():
        granted.append(f"GRANT {_rights(table, kind)} ON {name} TO {ours}")
    return (f"REVOKE CREATE ON SCHEMA {place} FROM {ours}", *granted, *_policies(named[tables.operation]))


def _rights(table: Table, kind: RoleKind) -> str:
    if kind is RoleKind.REPORTING:
        if not any(column in PERSONAL for column in table.c):
            return "SELECT"
        return f"SELECT ({', '.join(_quote(column.name) for column in table.c if column not in PERSONAL)})"
    if table in WRITTEN_ONCE:
        return "SELECT, INSERT"
    return "SELECT, INSERT, UPDATE, DELETE" if table in DELETED_FROM else "SELECT, INSERT, UPDATE"


def _policies(operation: str) -> list[str]:
    made = [f"ALTER TABLE {operation} ENABLE ROW LEVEL SECURITY"]
    for name, rule in _POLICIES:
        made += [f"DROP POLICY IF EXISTS {name} ON {operation}", f"CREATE POLICY {name} ON {operation} FOR {rule}"]
    return made


def apply(database: Database, role: str, kind: RoleKind = RoleKind.SERVICE) -> tuple[str, ...]:
    """Run `statements` in one transaction as the owner of the tables, and return them.

    Raises `DatabaseError` where the role would still be able to do more, and then nothing was changed: a superuser,
    the tables' owner or a member of it, or a role that may create tables because everybody may.
    """
    with database.connection() as connection:
        if connection.dialect.name != "postgresql":
            raise InvalidInput("SQLite has no roles: who can open the file can change it; guard the file instead")
        sql = "SELECT coalesce(%s::text, current_schema())"
        schema = str(connection.exec_driver_sql(sql, (database.schema,)).scalar_one())
        _require_modest(connection, role, schema)
        made = statements(role, kind, schema=schema)
        for statement in made:
            connection.exec_driver_sql(statement.replace("%", "%%"))
        sql = "SELECT has_schema_privilege(%s::text, %s::text, 'CREATE')"
        if connection.exec_driver_sql(sql, (role, schema)).scalar_one():
            raise DatabaseError(
                f"The role {role!r} may create tables in the schema {schema!r} because everybody may; "
                f"run REVOKE CREATE ON SCHEMA {_quote(schema)} FROM PUBLIC, then try again"
            )
    return made


def _require_modest(connection: Connection, role: str, schema: str) -> None:
    found = connection.exec_driver_sql("SELECT rolsuper FROM pg_roles WHERE rolname = %s", (role,)).one_or_none()
    if found is None:
        raise DatabaseError(f"There is no role {role!r}; create it first, with a password of your choosing")
    owns = """SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE nspname = %s AND relname = 'omo_posting' AND pg_has_role(%s::text, c.relowner, 'MEMBER')"""
    if found.rolsuper or connection.exec_driver_sql(owns, (schema, role)).scalar_one():
        raise DatabaseError(
            f"The role {role!r} owns the tables or is a superuser, whom no grant holds; give the service one of its own"
        )
