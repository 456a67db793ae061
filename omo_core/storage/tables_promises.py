"""The tables of what may be promised: channels' quotas, nodes' capacity, and orders ahead of stock; re-exported by `tables`."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, text

from omo_core.storage.table_parts import IN_KEY, int_column, table, text_column

quota = table(
    "quota",
    ("sku", "channel"),
    text_column("sku"),
    text_column("channel"),
    text_column("quota"),
    text_column("kind"),
    int_column("units"),
    int_column("used"),
    int_column("gives_back_at_us", null=True),
    int_column("version"),
    CheckConstraint("kind IN ('ring_fenced', 'capped')", name="kind_known"),
    CheckConstraint("units >= 0 AND used >= 0", name="units_not_negative"),
    CheckConstraint("kind <> 'capped' OR used <= units", name="used_within_cap"),
    CheckConstraint("version >= 1", name="version_counts"),
    **IN_KEY,
)
"""A channel's part of an item, in the whole pool: `used` = pending + issued units of the holds that name this `quota`.

A quota that is dropped and set again is a new one, with another id: holds of the old one do not count towards it.
"""

capacity_slot = table(
    "capacity_slot",
    ("node", "slot_at_us"),
    text_column("node"),
    int_column("slot_at_us"),
    int_column("capacity"),
    int_column("used"),
    int_column("version"),
    CheckConstraint("0 <= used AND used <= capacity", name="used_within_capacity"),
    CheckConstraint("version >= 1", name="version_counts"),
    **IN_KEY,
)
"""The work that a node can take in the slot that begins at `slot_at_us`, in units of the host's choosing."""

slot_claim = table(
    "slot_claim",
    ("owner", "node", "slot_at_us"),
    text_column("owner"),
    text_column("node"),
    int_column("slot_at_us"),
    int_column("held"),
    int_column("done"),
    int_column("released"),
    CheckConstraint("held >= 0 AND done >= 0 AND released >= 0", name="parts_not_negative"),
    **IN_KEY,
)
"""What an owner claimed of a slot. Guarded by the slot's row; its used = held + done of all claims."""

backorder_cap = table(
    "backorder_cap",
    ("sku", "node"),
    text_column("sku"),
    text_column("node"),
    text_column("kind"),
    int_column("cap"),
    int_column("promised"),
    int_column("opens_at_us", null=True),
    int_column("closes_at_us", null=True),
    int_column("version"),
    CheckConstraint("kind IN ('backorder', 'preorder')", name="kind_known"),
    CheckConstraint("0 <= promised AND promised <= cap", name="promised_within_cap"),
    CheckConstraint("version >= 1", name="version_counts"),
    **IN_KEY,
)
"""How much of an item may be promised before it is there; node '' promises from whichever node gets it."""

backorder = table(
    "backorder",
    ("backorder",),
    text_column("backorder"),
    text_column("owner"),
    text_column("line"),
    text_column("sku"),
    text_column("node"),
    text_column("channel", null=True),
    int_column("quantity"),
    int_column("open"),
    int_column("converted"),
    int_column("released"),
    int_column("placed_at_us"),
    int_column("promised_for_us", null=True),
    text_column("operation_id"),
    CheckConstraint("quantity > 0 AND open >= 0 AND converted >= 0 AND released >= 0", name="parts_not_negative"),
    CheckConstraint("quantity = open + converted + released", name="parts_sum_to_whole"),
    Index("ix_omo_backorder_owner", "pool_id", "owner"),
    Index(
        "ix_omo_backorder_waiting",
        "pool_id",
        "sku",
        "node",
        "placed_at_us",
        "backorder",
        postgresql_where=text("open > 0"),
        sqlite_where=text("open > 0"),
    ),
)
"""A promise of goods that are not there yet; guarded by its cap's row. `converted` units became holds."""
