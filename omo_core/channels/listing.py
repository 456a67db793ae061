"""Reads the orders on a page one by one, so that one that cannot be read takes no other along."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import ID_LIMIT, TEXT_LIMIT
from omo_core.channels.intents import Reference
from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Order


class Listed(NamedTuple):
    """What a page holds; the fields are those of `Page`, and `met` is how many entries it had."""

    orders: tuple[Order, ...]
    references: tuple[Reference, ...]
    unreadable: tuple[tuple[str, str], ...]
    met: int


def read_each(documents: Iterable[Cursor], key: str, read: Callable[[Cursor], Order | Reference]) -> Listed:
    """Read every document of a page; `key` is the field of its id. Only a page that is no page raises `InvalidInput`."""
    orders: list[Order] = []
    references: list[Reference] = []
    unreadable: list[tuple[str, str]] = []
    met = 0
    for one in documents:
        met += 1
        try:
            found = read(one)
        except InvalidInput as error:
            unreadable.append((name_of(one, key), str(error)[:TEXT_LIMIT]))
            continue
        if isinstance(found, Reference):
            references.append(found)
        else:
            orders.append(found)
    return Listed(tuple(orders), tuple(references), tuple(unreadable), met)


def name_of(one: Cursor, key: str) -> str:
    """The id of a document that could not be read, or its place on the page where its id cannot be used either."""
    value = one.fields.get(key)
    text = str(value).strip() if isinstance(value, str | int) and not isinstance(value, bool) else ""
    return text if 0 < len(text) <= ID_LIMIT and text.isprintable() else one.path
