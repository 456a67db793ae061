"""Simulated nodes: who says no to an offer is drawn from the order's and the node's names, so it is always the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

from omo_core.model.fulfilment import (
    AcceptOffer,
    CollectFulfilment,
    FulfilmentCommand,
    FulfilmentOrder,
    FulfilmentState,
    RejectOffer,
    ShipFulfilment,
)
from omo_core.model.network import DeliveryMethod, NodeKind

_SCALE = 2**64


class SimulatedNodes:
    """Stores say no to a share of what they are offered; what is accepted leaves at once.

    `reject_share` is a probability from 0 to 1; warehouses never reject. A pickup is collected and a one-hour order
    handed to its courier; everything else is shipped.
    """

    def __init__(self, kinds: Mapping[str, NodeKind], *, reject_share: float, seed: int) -> None:
        self._kinds = kinds
        self._reject_share = reject_share
        self._seed = seed

    def answer(self, offered: Iterable[FulfilmentOrder]) -> list[FulfilmentCommand]:
        """The commands by which nodes answer what they were offered, or go on with what they accepted."""
        commands: list[FulfilmentCommand] = []
        for one in offered:
            if one.state is FulfilmentState.OFFERED and self._rejects(one):
                commands.append(
                    RejectOffer(
                        key=f"{one.fulfilment}/reject",
                        scope="simulated-nodes",
                        fulfilment=one.fulfilment,
                        reason="the shelf is empty",
                    )
                )
                continue
            if one.state is FulfilmentState.OFFERED:
                commands.append(
                    AcceptOffer(key=f"{one.fulfilment}/accept", scope="simulated-nodes", fulfilment=one.fulfilment)
                )
            leave = ShipFulfilment if one.method is DeliveryMethod.SHIP else CollectFulfilment
            commands.append(leave(key=f"{one.fulfilment}/leave", scope="simulated-nodes", fulfilment=one.fulfilment))
        return commands

    def _rejects(self, one: FulfilmentOrder) -> bool:
        if self._kinds.get(one.node) not in (NodeKind.STORE, NodeKind.DEALER_STORE):
            return False
        digest = hashlib.sha256(
            "\x1f".join((str(self._seed), one.node, one.channel, one.external_id)).encode()
        ).digest()
        return int.from_bytes(digest[:8], "big") < self._reject_share * _SCALE
