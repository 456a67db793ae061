"""Verbs of quotas: a channel gets its part of an item, and loses it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory.quotas import QuotaRow, Quotas
from omo_core.inventory.verb import Outcome, Verb
from omo_core.inventory.working import WorkingSet
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import DropQuota, SetQuota
from omo_core.model.refusals import Refusal
from omo_core.storage.clock import to_us


def _set(work: WorkingSet, operation_id: str, command: SetQuota) -> Outcome:
    quotas = work.annex(Quotas)
    sku, channel, kind = command.sku, command.channel, command.quota_kind
    if sku not in quotas.skus:
        return Outcome((Refusal.of("unknown_sku", sku=sku),))
    gives_back_at_us = None if command.gives_back_at is None else to_us(command.gives_back_at)
    row = quotas.of_sku.get(sku, {}).get(channel)
    if row is None or not row.in_force(work.now_us):
        fresh = QuotaRow(sku, channel, operation_id, kind.value, command.units, 0, gives_back_at_us, 1)
        quotas.put(fresh)
        return Outcome()
    if kind is QuotaKind.CAPPED and row.used > command.units:
        refusal = Refusal.of("quota_below_used", sku=sku, channel=channel, used=row.used, wanted=command.units)
        return Outcome((refusal,))
    row.kind, row.units, row.gives_back_at_us = kind.value, command.units, gives_back_at_us
    return Outcome()


def _drop(work: WorkingSet, _operation_id: str, command: DropQuota) -> Outcome:
    dropped = work.annex(Quotas).drop(command.sku, command.channel)
    if dropped is None:
        return Outcome((Refusal.of("unknown_quota", sku=command.sku, channel=command.channel),))
    return Outcome()


VERBS: Final[Mapping[type, Verb]] = {SetQuota: Verb(_set), DropQuota: Verb(_drop)}
"""They name no stock row: a quota restricts promises made after it, and is not checked against what is there."""
