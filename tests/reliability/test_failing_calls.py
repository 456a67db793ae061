"""Every call that a command makes to its database fails once: all or nothing is there, and the same key gets one answer."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from itertools import count
from typing import get_args

import pytest

from omo_core.hub import channel_desk, desks
from omo_core.inventory import audit
from omo_core.model.errors import DatabaseError
from omo_core.model.fulfilment import FulfilmentCommand
from omo_core.model.stock_commands import StockCommand
from omo_core.storage import database as storage
from omo_core.testing.failing import Failure
from tests.conftest import sqlite_url
from tests.reliability import samples
from tests.reliability.samples import Act
from tests.reliability.world import World, Worlds

NOT_YET = object()
ONCE = {Failure.LOST, Failure.BUSY}
"""What `Database.run` repeats by itself: the caller gets his answer. The others end the call; a victim of others is
repeated as well, but here shows that nothing is left of a first try."""


def test_every_stock_command_has_a_sample() -> None:
    assert set(samples.STOCK) == set(get_args(StockCommand)), "add a sample of it to tests/reliability/samples.py"
    assert set(samples.FULFILMENT) == set(get_args(FulfilmentCommand)), "add a sample of it to samples.py"


def test_every_method_of_every_desk_is_swept_or_said_not_to_write() -> None:
    rooms = {**vars(desks), **vars(channel_desk)}
    found = [desk for name, desk in rooms.items() if name.endswith(("Desk", "Desks")) and inspect.isclass(desk)]
    methods = {
        f"{base.__name__}.{name}": function
        for desk in found
        for base in desk.__mro__
        for name, function in vars(base).items()
        if not name.startswith("_") and inspect.isfunction(function)
    }
    answering = {
        name
        for name, function in methods.items()
        if inspect.signature(function).return_annotation in ("StockAnswer", "FulfilmentAnswer")
    }
    known = [*samples.KEYED, *samples.KEYLESS, *samples.SHORTHANDS, *samples.ROUNDS, *samples.READERS]
    assert methods.keys() - answering == set(known), "say in tests/reliability/samples.py what it is"
    assert len(known) == len(set(known))
    assert set(samples.SHORTHANDS.values()) <= {*samples.SAMPLES, "STOCK", "FULFILMENT"}


@pytest.fixture(
    scope="module", params=["memory", pytest.param("postgresql", marks=[pytest.mark.postgres, pytest.mark.slow])]
)
def worlds(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    if request.param == "memory":
        url = sqlite_url("sqlite-memory", tmp_path_factory.mktemp("worlds"))
    else:
        url = request.getfixturevalue("postgres_server").create_database("failing_calls")
    opened = Worlds(url)
    yield opened
    opened.close()


QUICK = ("Receive", "PlaceHolds", "ConvertBackorders")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in samples.SAMPLES]
)
def test_each_call_fails_once(worlds: Worlds, name: str) -> None:
    act, keyed = samples.SAMPLES[name], name not in samples.KEYLESS
    with worlds.world() as world:
        first = act(world)
        assert worlds.state(world.pool) != worlds.before, "it does nothing, so nothing could be half done"
        due = worlds.state(world.pool, named=False)
        again = act(world)
        assert again == first or not keyed
        assert worlds.state(world.pool, named=False) == due
    for failure in worlds.calls.failures:
        sweep = _sweep_repeated if failure in ONCE else _sweep_raised
        calls, last = sweep(worlds, act, failure, due, keyed=keyed)
        assert calls >= 3, "begin, write, commit"
        # All of them are equal but for their ids: one is enough to see whether those fit together.
        assert worlds.database.read(last, audit).findings == ()


def _sweep_repeated(worlds: Worlds, act: Act, failure: Failure, due: list[str], *, keyed: bool) -> tuple[int, str]:
    """The caller gets his answer, and gets it again; returns how many calls failed, and the last pool."""
    for nth in count(1):
        with worlds.world() as world:
            with worlds.calls.failing(nth, failure):
                answer = act(world)
            again = act(world)
            assert again == answer or not keyed
            assert worlds.state(world.pool, named=False) == due, f"{failure} at call {nth}"
        if not worlds.calls.fired:
            return nth - 1, world.pool
    raise AssertionError


def _sweep_raised(worlds: Worlds, act: Act, failure: Failure, due: list[str], *, keyed: bool) -> tuple[int, str]:
    """The caller gets an exception and nothing is there, so the next try of the same key may stand for the retry."""
    answer: object = NOT_YET
    nth = 0
    with worlds.world() as world:
        while answer is NOT_YET:
            nth += 1
            with worlds.calls.failing(nth, failure), pytest.MonkeyPatch.context() as patch:
                patch.setattr(storage, "ATTEMPTS", 1)
                try:
                    answer = act(world)
                except DatabaseError:
                    assert worlds.state(world.pool) == worlds.before, f"half of it is there: {failure} at call {nth}"
        assert not worlds.calls.fired, f"{failure} at call {nth} was swallowed"
        assert act(world) == answer or not keyed
        assert worlds.state(world.pool, named=False) == due
        return nth - 1, world.pool


def test_a_command_in_two_transactions_is_noticed() -> None:
    def halves(world: World) -> list[str]:
        return [world.hub.stock.receive(node="NEAR", sku="A", quantity=1, key=key).key for key in ("first", "second")]

    opened = Worlds("sqlite:///:memory:")
    with pytest.raises(AssertionError, match="half of it is there"):
        _sweep_raised(opened, halves, Failure.FULL, [], keyed=True)
    opened.close()
