"""What the desks of a hub share: the way of one command."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from copy import copy
from typing import TYPE_CHECKING, Any, TypeVar

from omo_core.inventory.combiner import Apply
from omo_core.storage.transaction import Transaction

if TYPE_CHECKING:
    from omo_core.hub.hub import OrderHub

C = TypeVar("C")
A = TypeVar("A")


class Desk:
    """What the desks share: the hub they belong to, and the way of one command.

    A desk keeps the methods that apply its commands in attributes: the combiner knows commands of one kind by the same
    callable, also when they come from a copy of the desk.
    """

    def __init__(self, hub: OrderHub) -> None:
        self._hub = hub

    def _do(self, apply: Apply[C, A], command: C, tx: Transaction | None, weight: int = 1) -> A:
        """Apply one command in `tx`, or through the hub's combiner, or in a transaction of its own."""
        if tx is None and self._hub.combiner is not None:
            return self._hub.combiner.call(apply, command, weight)
        return self._hub.run(lambda inner: only(apply(inner, [command])), tx)

    def _submit(self, apply: Apply[C, A], command: C, weight: int = 1) -> Future[A]:
        """As `_do`, but without waiting."""
        return self._hub.submit(apply, command, weight)

    def _handing_out(self) -> Any:
        """This desk for the async face: what would wait for the combiner returns its future; None without a combiner."""
        if self._hub.combiner is None:
            return None
        desk = copy(self)
        vars(desk)["_do"] = lambda apply, command, _tx, weight=1: self._submit(apply, command, weight)
        return desk


def only(answers: Sequence[A | Exception]) -> A:
    """The answer to a lone command; an exception among answers is its caller's."""
    (answer,) = answers
    if isinstance(answer, Exception):
        raise answer
    return answer
