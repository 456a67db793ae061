"""The table of what channels are to hear of fulfilment; re-exported by `tables`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, text

from omo_core.storage.table_parts import int_column, table, text_column

report = table(
    "report",
    ("report",),
    text_column("report"),
    text_column("kind"),
    text_column("channel"),
    text_column("order_id"),
    text_column("fulfilment", null=True),
    text_column("document", null=True),
    text_column("state"),
    int_column("attempts"),
    int_column("happened_at_us"),
    int_column("due_at_us", null=True),
    text_column("parts_taken", null=True),
    text_column("reason_code", null=True),
    text_column("reason", null=True),
    CheckConstraint("kind IN ('ship', 'ready', 'acknowledge')", name="kind_known"),
    CheckConstraint("state IN ('waiting', 'done', 'parked', 'skipped')", name="state_known"),
    CheckConstraint("(state = 'waiting') = (due_at_us IS NOT NULL)", name="waiting_is_due"),
    CheckConstraint("attempts >= 0", name="attempts_count"),
    Index("ix_omo_report_order", "pool_id", "order_id"),
    Index(
        "ix_omo_report_waiting",
        "pool_id",
        "channel",
        "due_at_us",
        postgresql_where=text("state = 'waiting'"),
        sqlite_where=text("state = 'waiting'"),
    ),
    Index(
        "ix_omo_report_parked",
        "pool_id",
        "channel",
        "report",
        postgresql_where=text("state = 'parked'"),
        sqlite_where=text("state = 'parked'"),
    ),
)
"""What an order's channel is to hear, a row for each parcel that left, written in the transaction that sent it; for goods
that wait for their buyer; and for an order that is taken. `document` is the parcel as JSON; `parts_taken` lists, of a report
in several parts, the keys of those that the channel took. `parked` ones were refused and say why; of `skipped` ones the
channel is not told."""
