"""The stock pool: one guarded row per item and node, the ledger that explains it, and the promises made from it."""

from __future__ import annotations

from omo_core.inventory.auditor import AuditReport, Finding, audit
from omo_core.inventory.availability import (
    available_by_pair,
    available_of_skus,
    available_to_promise,
    levels,
    levels_of_skus,
)
from omo_core.inventory.holds import expire_holds, holds_of
from omo_core.inventory.pool import apply_many, apply_one

__all__ = [
    "AuditReport",
    "Finding",
    "apply_many",
    "apply_one",
    "audit",
    "available_by_pair",
    "available_of_skus",
    "available_to_promise",
    "expire_holds",
    "holds_of",
    "levels",
    "levels_of_skus",
]
