"""Policies that decisions were made under: each kept once, by its digest, so that a decision can be read and made again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from omo_core.allocation import SourcingPolicy
from omo_core.storage import tables
from omo_core.storage.settings import get_setting
from omo_core.storage.transaction import Transaction

PREFIX: Final = "policy/"
"""Settings of this name and a digest are policies; they never change once written."""


def remember_policy(tx: Transaction, policy: SourcingPolicy) -> str:
    """Keep the policy when the transaction commits, unless it is kept already; returns its digest."""
    digest = policy.digest()
    waiting = tx.at_commit("policies", _keep)
    if all(known != digest for known, _ in waiting):
        waiting.append((digest, policy.canonical_json()))
    return digest


def policy_of(tx: Transaction, digest: str) -> SourcingPolicy | None:
    """The policy of a decision's `policy_sha256`; None where no decision was made under it."""
    document = get_setting(tx, PREFIX + digest)
    return None if document is None else SourcingPolicy.load(json.loads(document))


def _keep(tx: Transaction, waiting: Sequence[tuple[str, str]]) -> None:
    tx.insert_new(
        tables.setting,
        [
            {"name": PREFIX + digest, "document": document, "version": 1, "updated_at_us": tx.now_us}
            for digest, document in waiting
        ],
    )
