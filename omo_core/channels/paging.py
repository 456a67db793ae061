"""Pages of changes, read from the last to the first.

An order that changes while pages are read leaves its page, and those after it move up: read forwards, one would be
missed; read backwards, one is at most read twice. So the first answer only tells how many there are.
"""

from __future__ import annotations

import re
from typing import Final

from omo_core.channels.intents import ListChanges
from omo_core.model.errors import InvalidInput

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,6}")


def page_number(intent: ListChanges) -> int:
    """The page to ask for, from 1; raises `InvalidInput` where the cursor is not one of ours."""
    if intent.cursor is None:
        return 1
    if not _NUMBER.fullmatch(intent.cursor):
        raise InvalidInput(f"{intent.cursor[:40]!r} is no page; use the cursor of the page before, or none")
    return int(intent.cursor)


def page_before(intent: ListChanges, *, total: int, page_size: int) -> ListChanges | None:
    """What to ask for next: after the first answer the last page, then the one before; None after the first page.

    The first page is read again at the end, where it is not the only one.
    """
    if intent.cursor is None:
        last = -(-total // page_size)
        following = last if last > 1 else 0
    else:
        following = page_number(intent) - 1
    return intent.model_copy(update={"cursor": str(following)}) if following else None
