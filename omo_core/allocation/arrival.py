"""When goods arrive: ready at the node, gone at its cut-off, some time on the way."""

from __future__ import annotations

from typing import Final

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.pairs import Pairs
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.traits import NO_PROMISE
from omo_core.model.network import DAY_S, DeliveryMethod

ON_TIME: Final = np.int64(0)


def by_courier(policy: SourcingPolicy, pairs: Pairs) -> Flags:
    """Pairs whose goods the node's own courier takes in place of a parcel."""
    part = policy.courier
    if part is None:
        return np.array(False)
    able = pairs.of_nodes(part.nodes) & pairs.index.courier_free[pairs.node]
    return pairs.uses(DeliveryMethod.SHIP) & able & ~pairs.farther_than(part.within_m)


def days_late(policy: SourcingPolicy, pairs: Pairs) -> Ints:
    """Begun days between promise and arrival, int64, 0 where it is on time or nothing was promised.

    Parcels wait for the node's cut-off, read on its wall clock as it stands at the decision (a change to or from
    summer time until then is not seen), and travel `metres_per_day`. Couriers leave when the goods are ready, and a
    buyer who collects needs nothing more.
    """
    assert policy.promise is not None
    traits, index = pairs.traits, pairs.index
    promised = traits.promised_s[pairs.order]
    ready = traits.at_s[pairs.order] + index.lead_time_s[pairs.node]
    courier = by_courier(policy, pairs)
    parcel = pairs.by_parcel & ~courier
    _, zone = index.zones_of_cut_off
    cut_off = index.cut_off_s[pairs.node]
    local = ready + traits.offset_s[pairs.order, zone[pairs.node]]
    waits = np.where(parcel & (cut_off >= 0), (cut_off - local) % DAY_S, 0)
    travels = np.where(parcel, -(-pairs.distance_m * DAY_S // policy.metres_per_day), 0)
    travels = travels + pairs.uses(DeliveryMethod.ONE_HOUR) * np.int64(policy.promise.one_hour_s)
    if policy.courier is not None:
        travels = travels + courier * np.int64(policy.courier.takes_s)
    late = -(-(ready + waits + travels - promised) // DAY_S)
    return np.where(promised == NO_PROMISE, ON_TIME, np.maximum(late, 0))
