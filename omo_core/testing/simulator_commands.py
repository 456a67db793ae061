"""Random stock commands: one small function a verb, in a table with how often each is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

from omo_core.model.promises import ExtendHolds, PartOfHold, ReleaseUnits
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    Issue,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.testing.simulator_commands_goods import GOODS
from omo_core.testing.simulator_commands_transfers import TRANSFERS
from omo_core.testing.simulator_desk import Desk


def receive(desk: Desk, scope: str, key: str) -> Receive:
    """A delivery, sometimes a big one."""
    inbound = desk.named("asn") if desk.dice.random() < 0.15 else None
    return Receive(scope=scope, key=key, lines=desk.goods(40 if desk.dice.random() < 0.2 else 8), inbound=inbound)


def counter_sale(desk: Desk, scope: str, key: str) -> CounterSale:
    """A till."""
    return CounterSale(scope=scope, key=key, lines=desk.goods(), reference=key)


def set_safety(desk: Desk, scope: str, key: str) -> SetSafety:
    """Someone keeps a few back, or gives them free."""
    sku, node = desk.cell()
    return SetSafety(scope=scope, key=key, sku=sku, node=node, quantity=desk.dice.randint(0, 3))


def place_holds(desk: Desk, scope: str, key: str) -> PlaceHolds:
    """A buyer at check-out."""
    expires_at = desk.expiry()
    dies_at = expires_at + timedelta(days=1) if expires_at and desk.dice.random() < 0.5 else None
    lines = desk.requests(f"{scope}/{key}")
    return PlaceHolds(scope=scope, key=key, lines=lines, expires_at=expires_at, dies_at=dies_at)


def replace_holds(desk: Desk, scope: str, key: str) -> ReplaceHolds:
    """A buyer who changed the basket, or emptied it."""
    place = desk.requests(f"{scope}/{key}") if desk.dice.random() < 0.9 else ()
    return ReplaceHolds(scope=scope, key=key, release=desk.some_holds(), place=place, expires_at=desk.expiry())


def confirm_holds(desk: Desk, scope: str, key: str) -> ConfirmHolds:
    """A buyer paid."""
    return ConfirmHolds(scope=scope, key=key, holds=desk.some_holds())


def release_holds(desk: Desk, scope: str, key: str) -> ReleaseHolds:
    """A buyer left."""
    return ReleaseHolds(scope=scope, key=key, holds=desk.some_holds())


def issue_holds(desk: Desk, scope: str, key: str) -> IssueHolds:
    """A parcel left, perhaps a part of it."""
    lines = tuple(Issue(hold=hold, quantity=desk.units(4)) for hold in desk.some_holds())
    return IssueHolds(scope=scope, key=key, lines=lines)


def extend_holds(desk: Desk, scope: str, key: str) -> ExtendHolds:
    """A buyer who needs more time."""
    expires_at = desk.now + timedelta(seconds=desk.dice.choice((60, 3_000, 90_000, 400_000)))
    return ExtendHolds(scope=scope, key=key, holds=desk.some_holds(), expires_at=expires_at)


def release_units(desk: Desk, scope: str, key: str) -> ReleaseUnits:
    """A buyer who takes fewer."""
    lines = tuple(PartOfHold(hold=hold, quantity=desk.units(2)) for hold in desk.some_holds())
    return ReleaseUnits(scope=scope, key=key, lines=lines)


Maker = Callable[[Desk, str, str], StockCommand]
MAKERS: Final[Mapping[Maker, int]] = {
    receive: 20,
    counter_sale: 8,
    set_safety: 3,
    place_holds: 30,
    replace_holds: 6,
    confirm_holds: 8,
    release_holds: 5,
    issue_holds: 12,
    extend_holds: 4,
    release_units: 3,
    **GOODS,
    **TRANSFERS,
}
"""(desk, scope, key) → command, and its weight among the others; another verb is one more line."""


def any_command(desk: Desk, scope: str, key: str) -> StockCommand:
    """A command of a verb drawn by weight."""
    return desk.dice.choices(list(MAKERS), list(MAKERS.values()))[0](desk, scope, key)
