"""States as data: which changes are allowed, and the state that an order's lines imply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from omo_core.model.errors import InvariantViolation
from omo_core.model.fulfilment import FULFILMENT_TRANSITIONS, ORDER_TRANSITIONS, FulfilmentState, OrderState

LIVE: Final = frozenset({FulfilmentState.OFFERED, FulfilmentState.ACCEPTED})
"""States in which a fulfilment order's holds stand."""


def derive_state(
    open_units: Mapping[str, int], short: Mapping[str, int], *, any_live: bool, held: bool = False
) -> OrderState:
    """The state of an order that is not cancelled, from its open units per line and its live fulfilment orders."""
    if any_live:
        return OrderState.IN_FULFILMENT
    if not open_units:
        return OrderState.FULFILLED
    if held:
        return OrderState.HELD
    if all(short.get(line, 0) >= units for line, units in open_units.items()):
        return OrderState.UNFULFILLABLE
    return OrderState.WAITING


def check_order_change(before: OrderState, after: OrderState, *, new: bool) -> None:
    """Raise `InvariantViolation` for a change of state that the table forbids; a new order may start anywhere."""
    if not new and before is not after and after not in ORDER_TRANSITIONS[before]:
        raise InvariantViolation(f"an order cannot go from {before} to {after}; report this with the order's history")


def check_fulfilment_change(before: FulfilmentState, after: FulfilmentState) -> None:
    """Raise `InvariantViolation` for a change of state that the table forbids."""
    if after not in FULFILMENT_TRANSITIONS[before]:
        raise InvariantViolation(
            f"a fulfilment order cannot go from {before} to {after}; report this with the order's history"
        )
