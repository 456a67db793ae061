"""Swaps: who must be booked together, and what one command of several channels counts."""

from __future__ import annotations

from typing import Any

from omo_core.hub import OrderHub
from omo_core.model.promised import QuotaKind
from omo_core.model.promises import SetQuota
from omo_core.model.stock import Hold, HoldRequest, HoldState, PlaceHolds, ReplaceHolds
from omo_core.orders.swaps import Exchange, command_of, together
from tests.orders.conftest import CLOSE, FAR, NEAR, stock


def hold(owner: str, sku: str, node: str, units: int = 1) -> Hold:
    return Hold(
        hold=f"{owner}/{sku}/{node}",
        owner=owner,
        line="1",
        sku=sku,
        node=node,
        quantity=units,
        pending=units,
        issued=0,
        released=0,
        state=HoldState.PLACED,
        expires_at=None,
    )


def moves(name: str, old: str | None, new: str | None, *, channel: str = "shop", units: int = 1) -> Exchange:
    """An order that gives back units of A at `old` and takes them at `new`."""
    place: list[dict[str, Any]] = []
    if new:
        place = [{"owner": name, "line": "1", "sku": "A", "node": new, "quantity": units}]
    return Exchange(name, channel, f"key/{name}", [hold(name, "A", old, units)] if old else [], place)


def names(groups: list[list[Exchange]]) -> list[list[str]]:
    return [[one.order for one in group] for group in groups]


def test_orders_that_swap_are_booked_together_and_the_rest_alone() -> None:
    ring = [moves("1", NEAR, CLOSE), moves("2", CLOSE, NEAR), moves("3", FAR, FAR), moves("4", None, FAR)]
    counted_free = [("A", NEAR, 1), ("A", CLOSE, 1), ("A", FAR, 2)]
    assert names(together(ring, counted_free)) == [["1", "2"], ["3"], ["4"]]


def test_orders_that_meet_where_enough_is_free_do_not_depend_on_each_other() -> None:
    meeting = [moves("1", NEAR, CLOSE), moves("2", CLOSE, NEAR)]
    assert names(together(meeting, [("A", NEAR, 2), ("A", CLOSE, 2)])) == [["1"], ["2"]]


def test_a_chain_is_one_group() -> None:
    chain = [moves("1", None, NEAR), moves("2", NEAR, CLOSE), moves("3", CLOSE, FAR)]
    counted_free = [("A", NEAR, 1), ("A", CLOSE, 1), ("A", FAR, 9)]
    assert names(together(chain, counted_free)) == [["1", "2", "3"]]


def test_what_is_kept_is_free_for_nobody_else() -> None:
    kept = [moves("1", NEAR, NEAR), moves("2", None, NEAR), moves("3", NEAR, FAR)]
    assert names(together(kept, [("A", NEAR, 2), ("A", FAR, 1)])) == [["1"], ["2", "3"]]


def test_a_command_names_the_channels_that_are_not_its_own() -> None:
    command = command_of([moves("1", NEAR, CLOSE), moves("2", CLOSE, NEAR, channel="live")], "test")
    assert isinstance(command, ReplaceHolds)
    assert (command.key, command.channel, command.channels) == ("key/1", "shop", (("2", "live"),))
    assert isinstance(command_of([moves("1", None, CLOSE)], "test"), PlaceHolds)


def test_a_command_without_other_channels_keeps_its_digest() -> None:
    text = ReplaceHolds(key="k", release=("h",), place=()).canonical_json()
    assert text == '{"key":"k","scope":"default","kind":"replace_holds","release":["h"],"place":[],"expires_at":null}'
    assert "channels" not in ReplaceHolds(key="k", release=(), place=(), channel="shop").canonical_json()


def test_two_channels_swap_within_their_quotas(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 1, ("A", CLOSE): 1})
    for channel in ("shop", "live"):
        hub.stock.apply(SetQuota(key=channel, sku="A", channel=channel, quota_kind=QuotaKind.CAPPED, units=1))

    def held(owner: str, node: str) -> HoldRequest:
        return HoldRequest(owner=owner, line="1", sku="A", node=node, quantity=1)

    first = [
        hub.stock.hold([held(channel, node)], key=f"{channel} first", channel=channel).holds[0].hold
        for channel, node in (("shop", NEAR), ("live", CLOSE))
    ]
    place = (held("shop", CLOSE), held("live", NEAR))
    alone = hub.stock.apply(ReplaceHolds(key="alone", release=tuple(first), place=place, channel="shop"))
    assert [one.code for one in alone.refusals] == ["quota_exhausted"]
    swapped = hub.stock.apply(
        ReplaceHolds(key="swap", release=tuple(first), place=place, channel="shop", channels=(("live", "live"),))
    )
    assert swapped.applied
    assert {one.owner: one.channel for one in swapped.holds if one.pending} == {"shop": "shop", "live": "live"}
    assert [one.used for one in hub.stock.quotas_of(["A"])] == [1, 1]
    assert hub.audit().clean
