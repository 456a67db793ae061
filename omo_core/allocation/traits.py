"""What only some rules ask of an order: channel, service, region, promise; made into columns when one first asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final, TypeVar

import numpy as np

from omo_core.allocation.arrays import Flags, Ints
from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.network_index import NetworkIndex, lies_in
from omo_core.allocation.policy_filters import OrderFilter
from omo_core.model.network import DeliveryMethod

T = TypeVar("T")

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
NO_PROMISE: Final = np.iinfo(np.int64).max // 2
"""Stands for the instant of a promise that was not given; later than any arrival."""


@dataclass(frozen=True)
class Traits:
    """The orders of a problem as they were asked."""

    index: NetworkIndex
    demands: tuple[OrderDemand, ...]
    _meeting: dict[OrderFilter, Flags] = field(default_factory=dict, repr=False, compare=False)

    def meeting(self, orders: OrderFilter) -> Flags:
        """bool[orders]: which orders meet the filter."""
        if orders not in self._meeting:
            self._meeting[orders] = np.array([_meets(demand, orders) for demand in self.demands], dtype=np.bool_)
        return self._meeting[orders]

    @cached_property
    def channel(self) -> tuple[tuple[str | None, ...], Ints]:
        """The channels, and int64[orders] the position of each order's."""
        return _coded([demand.channel for demand in self.demands])

    @cached_property
    def service(self) -> tuple[tuple[str | None, ...], Ints]:
        """The services asked for, and int64[orders] the position of each order's."""
        return _coded([demand.service for demand in self.demands])

    @cached_property
    def place(self) -> tuple[tuple[tuple[str | None, str | None], ...], Ints]:
        """The (country, region) pairs that goods go to, and int64[orders] the position of each order's."""
        return _coded([(demand.country, demand.region) for demand in self.demands])

    @cached_property
    def at_s(self) -> Ints:
        """int64[orders]: whole seconds from 1970 to the decision."""
        return np.array([_seconds(demand.at) for demand in self.demands], dtype=np.int64)

    @cached_property
    def promised_s(self) -> Ints:
        """int64[orders]: whole seconds from 1970 to the promise, or `NO_PROMISE`."""
        ends = [demand.promised_by for demand in self.demands]
        return np.array([NO_PROMISE if end is None else _seconds(end) for end in ends], dtype=np.int64)

    @cached_property
    def offset_s(self) -> Ints:
        """int64[orders, zones of cut-off]: seconds by which each zone's clocks are ahead of UTC at the decision."""
        zones, _ = self.index.zones_of_cut_off
        known: dict[datetime, list[int]] = {}
        for demand in self.demands:
            if demand.at not in known:
                local = (demand.at.astimezone(zone).utcoffset() or timedelta() for zone in zones)
                known[demand.at] = [offset // timedelta(seconds=1) for offset in local]
        return np.array([known[demand.at] for demand in self.demands], dtype=np.int64).reshape(-1, len(zones))

    @cached_property
    def open_for_pickup(self) -> tuple[Ints, Flags]:
        """int64[orders] rows of bool[instants, nodes]: which nodes are open when a pickup order is decided."""
        asked = [demand.at if demand.method is DeliveryMethod.PICKUP else None for demand in self.demands]
        instants, rows = _coded(asked)
        always = np.ones(len(self.index.nodes), dtype=np.bool_)
        return rows, np.array([always if at is None else self.index.open_at([at])[0] for at in instants])


def _coded(values: Sequence[T]) -> tuple[tuple[T, ...], Ints]:
    codes: dict[T, int] = {}
    rows = [codes.setdefault(value, len(codes)) for value in values]
    return tuple(codes), np.array(rows, dtype=np.int64)


def _seconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(seconds=1)


def _meets(demand: OrderDemand, orders: OrderFilter) -> bool:
    return (
        (not orders.methods or demand.method in orders.methods)
        and (not orders.services or demand.service in orders.services)
        and (not orders.channels or demand.channel in orders.channels)
        and (not orders.places or lies_in(demand.country, demand.region, orders.places))
    )
