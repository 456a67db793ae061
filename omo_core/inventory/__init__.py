"""The stock pool: one guarded row per item and node, the ledger that explains it, and the promises made from it."""

from __future__ import annotations

from omo_core.inventory.auditor import AuditReport, Finding, audit
from omo_core.inventory.availability import (
    available_by_pair,
    available_in_bulk,
    available_of_skus,
    available_to_promise,
    levels,
    levels_of_skus,
)
from omo_core.inventory.backorders import backorder_caps, backorders_of
from omo_core.inventory.capacity import claims_of, has_claims, slot_levels, slots_begun
from omo_core.inventory.count_tasks import open_count_tasks
from omo_core.inventory.extensions import extension_limit, set_extension_limit
from omo_core.inventory.holds import expire_holds, holds_of
from omo_core.inventory.inbound import inbound_due, inbound_of, open_inbound
from omo_core.inventory.kits import available_kits, holds_of_kit
from omo_core.inventory.pool import apply_many, apply_one
from omo_core.inventory.publication import (
    Sending,
    TellingKey,
    availability_deltas,
    doubt_told,
    expect_told,
    mark_sending,
    mark_told,
    settle_sent,
)
from omo_core.inventory.quotas import quotas_of
from omo_core.inventory.safety_rules import set_safety_rule
from omo_core.inventory.transfers import open_transfers, transfers_of

__all__ = [
    "AuditReport",
    "Finding",
    "Sending",
    "TellingKey",
    "apply_many",
    "apply_one",
    "audit",
    "availability_deltas",
    "available_by_pair",
    "available_in_bulk",
    "available_kits",
    "available_of_skus",
    "available_to_promise",
    "backorder_caps",
    "backorders_of",
    "claims_of",
    "doubt_told",
    "expect_told",
    "expire_holds",
    "extension_limit",
    "has_claims",
    "holds_of",
    "holds_of_kit",
    "inbound_due",
    "inbound_of",
    "levels",
    "levels_of_skus",
    "mark_sending",
    "mark_told",
    "open_count_tasks",
    "open_inbound",
    "open_transfers",
    "quotas_of",
    "set_extension_limit",
    "set_safety_rule",
    "settle_sent",
    "slot_levels",
    "slots_begun",
    "transfers_of",
]
