"""The tables, once, in SQLAlchemy Core: every key begins with `pool_id`, every name with `omo_`."""

from __future__ import annotations

from typing import Final

from sqlalchemy import CheckConstraint, Column, Index, LargeBinary, UniqueConstraint, text

from omo_core.storage import table_parts, tables_audit, tables_of_goods, tables_promises, tables_reports
from omo_core.storage.table_parts import IN_KEY as _IN_KEY, int_column as _int, table as _table, text_column as _text

metadata: Final = table_parts.metadata

count_task = tables_of_goods.count_task
reading = tables_of_goods.reading
transfer = tables_of_goods.transfer
transfer_line = tables_of_goods.transfer_line
inbound = tables_of_goods.inbound

quota = tables_promises.quota
capacity_slot = tables_promises.capacity_slot
slot_claim = tables_promises.slot_claim
backorder_cap = tables_promises.backorder_cap
backorder = tables_promises.backorder

acknowledgement = tables_audit.acknowledgement

report = tables_reports.report

operation = _table(
    "operation",
    ("scope", "key"),
    _text("scope"),
    _text("key"),
    _text("operation_id"),
    _text("kind"),
    _text("request_sha256"),
    _text("answer"),
    _int("created_at_us"),
    UniqueConstraint("pool_id", "operation_id"),
)
"""One row per accepted command, in the same transaction as its effect; `answer` is JSON, given again word for word."""

node = _table(
    "node",
    ("node",),
    _text("node"),
    _text("kind"),
    _text("owner", null=True),
    _text("document"),
    _int("version"),
    _int("updated_at_us"),
)

item = _table("item", ("sku",), _text("sku"), _text("document"), _int("version"), _int("updated_at_us"))

setting = _table("setting", ("name",), _text("name"), _text("document"), _int("version"), _int("updated_at_us"))
"""Small versioned documents of the pool: currency, sourcing policy."""

stock = _table(
    "stock",
    ("sku", "node", "condition"),
    _text("sku"),
    _text("node"),
    _text("condition"),
    _int("on_hand"),
    _int("reserved"),
    _int("safety"),
    _int("shortage"),
    _int("version"),
    _int("halted"),
    _int("safety_permille"),
    CheckConstraint("0 <= reserved AND reserved <= on_hand", name="reserved_within_on_hand"),
    CheckConstraint("safety >= 0 AND shortage >= 0", name="counters_not_negative"),
    CheckConstraint("0 <= safety_permille AND safety_permille <= 1000", name="safety_permille_is_share"),
    CheckConstraint("version >= 1", name="version_counts"),
    CheckConstraint("halted IN (0, 1)", name="halted_is_flag"),
    **_IN_KEY,
)
"""The only mutable stock rows; each change of a counter is explained by postings that carry the row's new version.

Kept out of promises is the larger of `safety` units and `safety_permille` thousandths of `on_hand`, rounded up. The
share is a setting copied from a rule, not a counter: postings do not carry it.
"""

safety_rule = _table(
    "safety_rule",
    ("node_kind", "node", "sku"),
    _text("node_kind"),
    _text("node"),
    _text("sku"),
    _int("units"),
    _int("permille"),
    _int("updated_at_us"),
    CheckConstraint("units >= 0 AND 0 <= permille AND permille <= 1000", name="kept_back_is_possible"),
    CheckConstraint("node = '' OR node_kind = ''", name="one_scope"),
)
"""What rows that come later keep back; '' stands for every class, node or item."""

published = _table(
    "published",
    ("channel", "node", "sku"),
    _text("channel"),
    _text("node"),
    _text("sku"),
    _int("units"),
    _int("sending"),
    _int("version"),
    _int("updated_at_us"),
    CheckConstraint("units >= 0 AND version >= 1", name="counts"),
    CheckConstraint("sending IN (0, 1)", name="sending_is_a_flag"),
    **_IN_KEY,
)
"""What each channel was told last; node '' where it has one number for all. While `sending` is 1 the channel has heard
either this number or the one before: it must be told again."""

hold = _table(
    "hold",
    ("hold",),
    _text("hold"),
    _text("owner"),
    _text("line"),
    _text("sku"),
    _text("node"),
    _text("condition"),
    _int("quantity"),
    _int("pending"),
    _int("issued"),
    _int("released"),
    _text("state"),
    _int("placed_at_us"),
    _int("expires_at_us", null=True),
    _text("operation_id"),
    _int("returned"),
    _int("extended"),
    _int("dies_at_us", null=True),
    _text("channel", null=True),
    _text("quota", null=True),
    CheckConstraint("quantity > 0 AND pending >= 0 AND issued >= 0 AND released >= 0", name="parts_not_negative"),
    CheckConstraint("0 <= returned AND returned <= issued", name="returned_within_issued"),
    CheckConstraint("extended >= 0", name="extensions_not_negative"),
    CheckConstraint("quantity = pending + issued + released", name="parts_sum_to_whole"),
    CheckConstraint("(pending > 0) = (state IN ('placed', 'confirmed'))", name="open_while_pending"),
    Index("ix_omo_hold_owner", "pool_id", "owner"),
    Index("ix_omo_hold_row", "pool_id", "sku", "node", "condition", "state"),
    Index("ix_omo_hold_expiry", "pool_id", "state", "expires_at_us"),
)
"""A promise of goods at a sellable stock row. `returned` of its issued units came back; `extended` counts how often its
time was prolonged, never past `dies_at_us`; `channel` names the seller, `quota` the quota it counts towards, if any.
"""

posting = _table(
    "posting",
    ("operation_id", "number"),
    _text("operation_id"),
    _int("number"),
    _text("place"),
    _text("sku"),
    _text("node"),
    _text("condition"),
    _int("quantity"),
    _int("reserved"),
    _int("safety"),
    _int("shortage"),
    _int("row_version", null=True),
    _int("on_hand_after", null=True),
    _int("reserved_after", null=True),
    _int("safety_after", null=True),
    _int("shortage_after", null=True),
    _int("posted_at_us"),
    CheckConstraint("(place = 'stock') = (row_version IS NOT NULL)", name="stock_lines_carry_versions"),
    CheckConstraint("(row_version IS NULL) = (on_hand_after IS NULL)", name="stock_lines_carry_on_hand"),
    CheckConstraint("(row_version IS NULL) = (reserved_after IS NULL)", name="stock_lines_carry_reserved"),
    CheckConstraint("(row_version IS NULL) = (safety_after IS NULL)", name="stock_lines_carry_safety"),
    CheckConstraint("(row_version IS NULL) = (shortage_after IS NULL)", name="stock_lines_carry_shortage"),
    Index(
        "uq_omo_posting_row_version",
        "pool_id",
        "sku",
        "node",
        "condition",
        "row_version",
        unique=True,
        postgresql_where=text("row_version IS NOT NULL"),
        sqlite_where=text("row_version IS NOT NULL"),
    ),
    **_IN_KEY,
)
"""Append-only, double entry. `place` is 'stock' (a real row) or a virtual place: supplier, customer, adjustment.

`quantity` is the change of goods at the place and sums to zero per operation and SKU over all places; `reserved`,
`safety` and `shortage` are changes of the row's other counters. `number` rises in the order the operation's lines were
written. Virtual lines have no row, and so cannot become hot: customer and adjustment lines name the node they face; what
a receipt brings of a SKU, at however many nodes, comes from one supplier line, whose node is ''.
"""

order = _table(
    "order",
    ("order_id",),
    _text("order_id"),
    _text("channel"),
    _text("external_id"),
    _int("source_version"),
    _text("source_sha256"),
    _text("state"),
    _int("version"),
    _int("attempt"),
    _int("held"),
    _text("document", null=True),
    _int("created_at_us"),
    _int("updated_at_us"),
    UniqueConstraint("pool_id", "channel", "external_id"),
    CheckConstraint("version >= 1 AND attempt >= 0", name="counts"),
    CheckConstraint("held IN (0, 1) AND (held = 1 OR state <> 'held')", name="held_is_a_flag"),
    Index("ix_omo_order_state", "pool_id", "state", "order_id"),
)
"""One row per (channel, external id). `document` is the canonical order as JSON; null where a cancellation came first.
`held` is 1 while the channel says not to send the order yet and nobody released it."""

order_line = _table(
    "order_line",
    ("order_id", "line"),
    _text("order_id"),
    _text("line"),
    _int("position"),
    _text("sku"),
    _int("ordered"),
    _int("wanted"),
    _int("issued"),
    _int("short"),
    _text("components", null=True),
    _int("pieces", null=True),
    CheckConstraint("0 <= issued AND 0 <= short AND 0 <= wanted AND wanted <= ordered", name="counts"),
    **_IN_KEY,
)
"""The fulfillable lines: `wanted` is what the buyer still wants in all, `issued` what went, `short` what no node had.

Of a kit, `components` is what one is put together from, as it was when the line was taken in, as JSON, and `pieces` how
many units that are in all; null of an item.
"""

fulfilment = _table(
    "fulfilment",
    ("fulfilment",),
    _text("fulfilment"),
    _text("order_id"),
    _text("node"),
    _text("method"),
    _text("state"),
    _int("version"),
    _int("attempt"),
    _text("why"),
    _int("offered_at_us"),
    _int("closed_at_us", null=True),
    _text("reject_code", null=True),
    _text("reject_reason", null=True),
    _text("tracking", null=True),
    Index("ix_omo_fulfilment_order", "pool_id", "order_id"),
    Index("ix_omo_fulfilment_node", "pool_id", "node", "state", "fulfilment"),
    Index(
        "ix_omo_fulfilment_live",
        "pool_id",
        "fulfilment",
        postgresql_where=text("state IN ('offered', 'accepted')"),
        sqlite_where=text("state IN ('offered', 'accepted')"),
    ),
)
"""`ix_omo_fulfilment_live` covers what nodes have in hand, however long the history behind it grows."""

fulfilment_line = _table(
    "fulfilment_line",
    ("fulfilment", "hold"),
    _text("fulfilment"),
    _text("hold"),
    _text("order_id"),
    _text("line"),
    _text("sku"),
    _int("quantity"),
    CheckConstraint("quantity > 0", name="quantity_positive"),
    **_IN_KEY,
)

decision = _table(
    "decision",
    ("order_id", "attempt"),
    _text("order_id"),
    _int("attempt"),
    _text("policy_sha256"),
    _text("document"),
    _int("decided_at_us"),
)
"""What sourcing decided for an order and why: costs by term, reasons per line, runner-ups; JSON that names its wave."""

wave = _table(
    "wave",
    ("wave",),
    _text("wave"),
    _text("solver"),
    _text("policy_sha256"),
    _int("network_version"),
    _text("stock_sha256"),
    _text("document"),
    _int("decided_at_us"),
    CheckConstraint("network_version >= 0", name="version_counts"),
    Index("ix_omo_wave_decided", "pool_id", "decided_at_us", "wave"),
)
"""What was solved together, so that it can be solved again: which units of which orders, without nodes that said no.

The id was drawn before the stock was looked at, so the ledger lines of operations with lower ids are what was seen;
`stock_sha256` tells whether a reconstruction is that. Where goods go stands in the orders alone, who may be erased.
"""

wave_prices = _table("wave_prices", ("wave",), _text("wave"), _text("sha256"), _text("document"))
"""What a wave left scarce goods and full nodes worth, as JSON; the real-time router pays those of the last wave."""

inbox = _table(
    "inbox",
    ("channel", "event_key"),
    _text("channel"),
    _text("event_key"),
    _text("body_sha256"),
    Column("body", LargeBinary, nullable=False),
    _text("topic", null=True),
    _text("state"),
    _text("reason_code", null=True),
    _text("reason", null=True),
    _int("received_at_us"),
    _text("subject", null=True),
    _text("headers", null=True),
    _int("attempts"),
    _int("due_at_us", null=True),
    CheckConstraint("state IN ('read', 'parked', 'ignored', 'waiting')", name="state_known"),
    CheckConstraint("(state = 'waiting') = (due_at_us IS NOT NULL)", name="waiting_is_due"),
    Index(
        "ix_omo_inbox_parked",
        "pool_id",
        "channel",
        "event_key",
        postgresql_where=text("state = 'parked'"),
        sqlite_where=text("state = 'parked'"),
    ),
    Index(
        "ix_omo_inbox_waiting",
        "pool_id",
        "channel",
        "due_at_us",
        postgresql_where=text("state = 'waiting'"),
        sqlite_where=text("state = 'waiting'"),
    ),
)
"""Every verified event with its bytes. `parked` ones could not be used and say why; `waiting` ones name an order that is
still to be fetched, from `due_at_us` on. `headers`, as JSON, are kept for these two, to read them again."""

channel_progress = _table(
    "channel_progress",
    ("channel",),
    _text("channel"),
    _int("listed_until_us"),
    _int("updated_at_us"),
)
"""Until when the changes of a channel were pulled: everything before is here."""

outbox = _table(
    "outbox",
    ("event_id",),
    _text("event_id"),
    _text("type"),
    _text("subject"),
    _int("version"),
    _text("data"),
    _int("created_at_us"),
    _int("transaction_id"),
    _int("published_at_us", null=True),
    UniqueConstraint("pool_id", "subject", "version"),
    Index(
        "ix_omo_outbox_unpublished",
        "pool_id",
        "transaction_id",
        "subject",
        "version",
        postgresql_where=text("published_at_us IS NULL"),
        sqlite_where=text("published_at_us IS NULL"),
    ),
)
"""Facts to publish, written in the transaction that made them true; `transaction_id` is the order they are read in."""
