"""Every verb of promises, and the tables beside stock that they decide on, in lock order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.inventory import verbs_backorders, verbs_capacity, verbs_holds, verbs_life, verbs_quotas
from omo_core.inventory.backorders import Backorders
from omo_core.inventory.capacity import Capacity
from omo_core.inventory.extensions import Extensions
from omo_core.inventory.quotas import Quotas
from omo_core.inventory.verb import Annex, Verb

VERBS: Final[Mapping[type, Verb]] = {
    **verbs_holds.VERBS,
    **verbs_life.VERBS,
    **verbs_quotas.VERBS,
    **verbs_capacity.VERBS,
    **verbs_backorders.VERBS,
}

ANNEXES: Final[tuple[type[Annex], ...]] = (Extensions, Quotas, Capacity, Backorders)
