"""The parts our tables are made of: column kinds that mean the same on both engines, and one naming of constraints."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Integer, MetaData, PrimaryKeyConstraint, Table, Text

# STRICT tables of SQLite take INTEGER, TEXT and BLOB only; PostgreSQL needs 64 bits to be said.
Int64 = BigInteger().with_variant(Integer(), "sqlite")

# Byte order, which is the order of code points: both engines and Python then sort alike, and compare faster.
Utf8 = Text().with_variant(Text(collation="C"), "postgresql")

metadata: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def text_column(name: str, *, null: bool = False) -> Column[Any]:
    """A column of text."""
    return Column(name, Utf8, nullable=null)


def int_column(name: str, *, null: bool = False) -> Column[Any]:
    """A column of 64-bit integers."""
    return Column(name, Int64, nullable=null)


def table(name: str, key: tuple[str, ...], *parts: Any, **options: Any) -> Table:
    """A table of ours whose primary key is the pool and then `key`."""
    primary = PrimaryKeyConstraint("pool_id", *key)
    return Table(f"omo_{name}", metadata, text_column("pool_id"), *parts, primary, sqlite_strict=True, **options)


# Tables of many short rows are kept in their key itself on SQLite: one b-tree less to write, a smaller file. Not one that
# is looked up by an index too: the planner would rather walk the whole pool in the key than look rows up twice.
IN_KEY: Final[dict[str, Any]] = {"sqlite_with_rowid": False}
