"""The part of the first schema that keeps goods on their way and what was counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

INT64 = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UTF8 = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, UTF8, nullable=null)


def _int(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, INT64, nullable=null)


def _check(table: str, name: str, rule: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(rule, name=op.f(f"ck_{table}_{name}"))


def create_tables_of_goods() -> None:
    """Create the tables of `omo_core.storage.tables_of_goods` as the first revision had them."""
    _create_count_task()
    _create_reading()
    _create_transfer()
    _create_inbound()


def _create_count_task() -> None:
    op.create_table(
        "omo_count_task",
        _text("pool_id"),
        _text("task_id"),
        _text("sku"),
        _text("node"),
        _text("condition"),
        _int("quantity"),
        _text("state"),
        _text("operation_id"),
        _int("opened_at_us"),
        _text("closed_by", null=True),
        _int("closed_at_us", null=True),
        sa.PrimaryKeyConstraint("pool_id", "task_id", name=op.f("pk_omo_count_task")),
        _check("omo_count_task", "quantity_positive", "quantity > 0"),
        _check("omo_count_task", "state_known", "state IN ('open', 'closed')"),
        _check("omo_count_task", "closed_by_an_operation", "(state = 'closed') = (closed_by IS NOT NULL)"),
        _check("omo_count_task", "closed_at_an_instant", "(closed_by IS NULL) = (closed_at_us IS NULL)"),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_count_task_row", "omo_count_task", ["pool_id", "sku", "node", "condition", "state"])
    op.create_index(
        "ix_omo_count_task_open",
        "omo_count_task",
        ["pool_id", "task_id"],
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )


def _create_reading() -> None:
    op.create_table(
        "omo_reading",
        _text("pool_id"),
        _text("sku"),
        _text("node"),
        _text("condition"),
        _text("source"),
        _int("sequence"),
        _int("as_of_us"),
        _int("quantity"),
        _text("operation_id"),
        sa.PrimaryKeyConstraint("pool_id", "sku", "node", "condition", "source", name=op.f("pk_omo_reading")),
        _check("omo_reading", "counts", "sequence >= 0 AND quantity >= 0"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )


def _create_transfer() -> None:
    op.create_table(
        "omo_transfer",
        _text("pool_id"),
        _text("transfer"),
        _text("from_node"),
        _text("to_node"),
        _text("reference", null=True),
        _int("due_at_us", null=True),
        _int("shipped_at_us"),
        _text("operation_id"),
        sa.PrimaryKeyConstraint("pool_id", "transfer", name=op.f("pk_omo_transfer")),
        _check("omo_transfer", "between_two_nodes", "from_node <> to_node"),
        sqlite_strict=True,
        sqlite_with_rowid=False,
    )
    name = "omo_transfer_line"
    op.create_table(
        name,
        _text("pool_id"),
        _text("transfer"),
        _text("sku"),
        _text("node"),
        _text("state"),
        _int("shipped"),
        _int("received"),
        _int("lost"),
        _int("extra"),
        sa.PrimaryKeyConstraint("pool_id", "transfer", "sku", name=op.f("pk_omo_transfer_line")),
        _check(name, "parts_not_negative", "shipped >= 0 AND received >= 0 AND lost >= 0 AND extra >= 0"),
        _check(name, "parts_within_shipped", "received + lost <= shipped"),
        _check(name, "state_known", "state IN ('open', 'closed')"),
        _check(name, "open_while_on_the_way", "(state = 'open') = (received + lost < shipped)"),
        sqlite_strict=True,
    )
    op.create_index(
        "ix_omo_transfer_line_open",
        name,
        ["pool_id", "transfer", "sku"],
        postgresql_where=sa.text("state = 'open'"),
        sqlite_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_omo_transfer_line_row", name, ["pool_id", "state", "sku", "node"])


def _create_inbound() -> None:
    name = "omo_inbound"
    op.create_table(
        name,
        _text("pool_id"),
        _text("reference"),
        _text("node"),
        _text("sku"),
        _text("state"),
        _int("due_at_us", null=True),
        _int("expected"),
        _int("received"),
        _text("operation_id"),
        sa.PrimaryKeyConstraint("pool_id", "reference", "node", "sku", name=op.f("pk_omo_inbound")),
        _check(name, "counts", "expected >= 0 AND received >= 0"),
        _check(name, "state_known", "state IN ('open', 'done', 'cancelled')"),
        _check(name, "open_while_due", "state = 'cancelled' OR (state = 'open') = (received < expected)"),
        _check(name, "due_at_an_instant", "state <> 'open' OR due_at_us IS NOT NULL"),
        sqlite_strict=True,
    )
    op.create_index("ix_omo_inbound_row", name, ["pool_id", "state", "sku", "node", "reference"])
