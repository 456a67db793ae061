"""Steps of a simulated day: what happened within some seconds, and what the hub was asked to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TypeVar

from omo_core.batch.files import RejectedRow
from omo_core.batch.nodes import Offer
from omo_core.batch.reading import Message
from omo_core.model.errors import InvalidInput
from omo_core.model.fulfilment import FulfilmentAnswer, PlacedOrder
from omo_core.model.stock import StockAnswer

A = TypeVar("A")


@dataclass(slots=True)
class Step:
    """Messages of one step, each with the answer to come."""

    sold: list[tuple[Message, Future[StockAnswer]]] = field(default_factory=list)
    placed: list[tuple[Message, Future[PlacedOrder]]] = field(default_factory=list)
    cancelled: list[tuple[Message, Future[PlacedOrder]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Answering:
    """What nodes said after a window, and what they will have in hand then."""

    given: list[Future[FulfilmentAnswer]]
    in_hand: Future[list[Offer]]


@dataclass(frozen=True, slots=True)
class Ended:
    """A window that is applied, whose end the pool does not know yet: the place behind it, its time, its rejected rows."""

    messages: int
    now_us: int
    rejected: list[RejectedRow]


def by_time(messages: Sequence[Message], step_s: int) -> Iterator[list[Message]]:
    """Messages in groups of at most `step_s` simulated seconds, in the order of the file."""
    step: list[Message] = []
    for message in messages:
        if step and (message.at - step[0].at).total_seconds() > step_s:
            yield step
            step = []
        step.append(message)
    if step:
        yield step


def settled(futures: Sequence[Future[A]]) -> list[A | InvalidInput]:
    """What became of each: its answer, or why it cannot be used; an outage is everybody's and is raised."""
    answers: list[A | InvalidInput] = []
    for future in futures:
        try:
            answers.append(future.result())
        except InvalidInput as error:
            answers.append(error)
    return answers
