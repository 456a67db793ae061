"""The tables of goods on their way and of what was counted; re-exported by `tables`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, text

from omo_core.storage.table_parts import IN_KEY, int_column, table, text_column

count_task = table(
    "count_task",
    ("task_id",),
    text_column("task_id"),
    text_column("sku"),
    text_column("node"),
    text_column("condition"),
    int_column("quantity"),
    text_column("state"),
    text_column("operation_id"),
    int_column("opened_at_us"),
    text_column("closed_by", null=True),
    int_column("closed_at_us", null=True),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    CheckConstraint("state IN ('open', 'closed')", name="state_known"),
    CheckConstraint("(state = 'closed') = (closed_by IS NOT NULL)", name="closed_by_an_operation"),
    CheckConstraint("(closed_by IS NULL) = (closed_at_us IS NULL)", name="closed_at_an_instant"),
    Index("ix_omo_count_task_row", "pool_id", "sku", "node", "condition", "state"),
    Index(
        "ix_omo_count_task_open",
        "pool_id",
        "task_id",
        postgresql_where=text("state = 'open'"),
        sqlite_where=text("state = 'open'"),
    ),
)
"""A row whose book was proven wrong by goods that left it; someone should count the shelf. `closed_by` is the count's
operation."""

reading = table(
    "reading",
    ("sku", "node", "condition", "source"),
    text_column("sku"),
    text_column("node"),
    text_column("condition"),
    text_column("source"),
    int_column("sequence"),
    int_column("as_of_us"),
    int_column("quantity"),
    text_column("operation_id"),
    CheckConstraint("sequence >= 0 AND quantity >= 0", name="counts"),
    **IN_KEY,
)
"""The last number that each source said of a row: people who count have source '', feeds their own name. A number as of
an earlier time than any of these is stale."""

transfer = table(
    "transfer",
    ("transfer",),
    text_column("transfer"),
    text_column("from_node"),
    text_column("to_node"),
    text_column("reference", null=True),
    int_column("due_at_us", null=True),
    int_column("shipped_at_us"),
    text_column("operation_id"),
    CheckConstraint("from_node <> to_node", name="between_two_nodes"),
    **IN_KEY,
)

transfer_line = table(
    "transfer_line",
    ("transfer", "sku"),
    text_column("transfer"),
    text_column("sku"),
    text_column("node"),
    text_column("state"),
    int_column("shipped"),
    int_column("received"),
    int_column("lost"),
    int_column("extra"),
    CheckConstraint("shipped >= 0 AND received >= 0 AND lost >= 0 AND extra >= 0", name="parts_not_negative"),
    CheckConstraint("received + lost <= shipped", name="parts_within_shipped"),
    CheckConstraint("state IN ('open', 'closed')", name="state_known"),
    CheckConstraint("(state = 'open') = (received + lost < shipped)", name="open_while_on_the_way"),
    Index("ix_omo_transfer_line_row", "pool_id", "state", "sku", "node"),
    Index(
        "ix_omo_transfer_line_open",
        "pool_id",
        "transfer",
        "sku",
        postgresql_where=text("state = 'open'"),
        sqlite_where=text("state = 'open'"),
    ),
)
"""`node` is where the goods go. On their way are shipped - received - lost, which is what the postings at the place
`transit` add to; `extra` arrived and was never shipped."""

inbound = table(
    "inbound",
    ("reference", "node", "sku"),
    text_column("reference"),
    text_column("node"),
    text_column("sku"),
    text_column("state"),
    int_column("due_at_us", null=True),
    int_column("expected"),
    int_column("received"),
    text_column("operation_id"),
    CheckConstraint("expected >= 0 AND received >= 0", name="counts"),
    CheckConstraint("state IN ('open', 'done', 'cancelled')", name="state_known"),
    CheckConstraint("state = 'cancelled' OR (state = 'open') = (received < expected)", name="open_while_due"),
    CheckConstraint("state <> 'open' OR due_at_us IS NOT NULL", name="due_at_an_instant"),
    Index("ix_omo_inbound_row", "pool_id", "state", "sku", "node", "reference"),
)
"""What suppliers announced, by the announcement's reference, and what of it has come. A line that came before it was
announced, or was never announced, expects 0 and is due at no time."""
