"""Simulated nodes: who says no to an offer is drawn from the order's and the node's names, so it is always the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import select, text

from omo_core.model.fulfilment import (
    AcceptOffer,
    CollectFulfilment,
    FulfilmentCommand,
    FulfilmentState,
    RejectOffer,
    ShipFulfilment,
)
from omo_core.model.network import DeliveryMethod, NodeKind
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

_SCALE = 2**64


class Offer(NamedTuple):
    """What a simulated node looks at of a fulfilment order; values of states and methods as stored."""

    fulfilment: str
    node: str
    method: str
    state: str
    channel: str
    external_id: str


def offers_in_hand(tx: Transaction) -> list[Offer]:
    """Everything offered to nodes or accepted by them now, oldest first."""
    one, order = tables.fulfilment.c, tables.order.c
    query = (
        select(one.fulfilment, one.node, one.method, one.state, order.channel, order.external_id)
        .join_from(tables.fulfilment, tables.order, (order.pool_id == one.pool_id) & (order.order_id == one.order_id))
        # A literal, as in the partial index.
        .where(one.pool_id == tx.pool, text("omo_fulfilment.state IN ('offered', 'accepted')"))
        .order_by(one.fulfilment)
    )
    return [Offer(*row) for row in tx.connection.execute(query)]


class SimulatedNodes:
    """Stores say no to a share of what they are offered; what is accepted leaves at once.

    `reject_share` is a probability from 0 to 1; warehouses never reject. A pickup is collected and a one-hour order
    handed to its courier; everything else is shipped.
    """

    def __init__(self, kinds: Mapping[str, NodeKind], *, reject_share: float, seed: int) -> None:
        self._kinds = kinds
        self._reject_share = reject_share
        self._seed = seed

    def answer(self, offered: Iterable[Offer]) -> list[FulfilmentCommand]:
        """The commands by which nodes answer what they were offered, or go on with what they accepted."""
        commands: list[FulfilmentCommand] = []
        for one in offered:
            if one.state == FulfilmentState.OFFERED and self._rejects(one):
                commands.append(
                    RejectOffer(
                        key=f"{one.fulfilment}/reject",
                        scope="simulated-nodes",
                        fulfilment=one.fulfilment,
                        reason="the shelf is empty",
                    )
                )
                continue
            if one.state == FulfilmentState.OFFERED:
                commands.append(
                    AcceptOffer(key=f"{one.fulfilment}/accept", scope="simulated-nodes", fulfilment=one.fulfilment)
                )
            leave = ShipFulfilment if one.method == DeliveryMethod.SHIP else CollectFulfilment
            commands.append(leave(key=f"{one.fulfilment}/leave", scope="simulated-nodes", fulfilment=one.fulfilment))
        return commands

    def _rejects(self, one: Offer) -> bool:
        if self._kinds.get(one.node) not in (NodeKind.STORE, NodeKind.DEALER_STORE):
            return False
        digest = hashlib.sha256(
            "\x1f".join((str(self._seed), one.node, one.channel, one.external_id)).encode()
        ).digest()
        return int.from_bytes(digest[:8], "big") < self._reject_share * _SCALE
