"""How often the time of a hold may be prolonged, and whether it may be now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from omo_core.inventory.decide import is_expired
from omo_core.inventory.working import HeldUnits, WorkingSet
from omo_core.model.errors import InvalidInput
from omo_core.model.promises import ExtendHolds
from omo_core.model.refusals import Refusal
from omo_core.model.stock import HoldState
from omo_core.storage.clock import from_us
from omo_core.storage.settings import get_setting, put_setting
from omo_core.storage.transaction import Transaction

DEFAULT_EXTENSIONS: Final = 3
"""A cart, its checkout and one retried payment; who needs longer confirms."""

_SETTING: Final = "hold_extensions"


@dataclass(frozen=True, slots=True)
class Extensions:
    """The pool's rule, read only for batches that extend a hold."""

    most: int = DEFAULT_EXTENSIONS

    @classmethod
    def load(cls, tx: Transaction, work: WorkingSet, commands: Sequence[Any]) -> Self:  # noqa: ARG003
        """A look-up of the setting where a command needs it."""
        return cls(extension_limit(tx)) if ExtendHolds in set(map(type, commands)) else cls()

    def record(self, tx: Transaction) -> None:
        """A rule is not changed by commands."""


def extension_limit(tx: Transaction) -> int:
    """How often a hold of this pool may be extended."""
    stored = get_setting(tx, _SETTING)
    return DEFAULT_EXTENSIONS if stored is None else int(stored)


def set_extension_limit(tx: Transaction, most: int) -> None:
    """Let holds be extended `most` times, also those that stand; 0: never. Raises `InvalidInput` below 0."""
    if most < 0:
        raise InvalidInput(f"A hold cannot be extended {most} times; give 0 or more")
    put_setting(tx, _SETTING, str(most))


def decide_extend(hold: HeldUnits, expires_at_us: int, most: int, now_us: int) -> Refusal | None:
    """None where an open hold may last until `expires_at_us`."""
    if hold.state is not HoldState.PLACED or hold.expires_at_us is None:
        return Refusal.of("hold_without_end", hold=hold.hold)
    lasts_until = from_us(hold.expires_at_us).isoformat()
    if is_expired(hold, now_us):
        return Refusal.of("hold_expired", hold=hold.hold, expired_at=lasts_until)
    if expires_at_us <= hold.expires_at_us:
        return Refusal.of("not_an_extension", hold=hold.hold, expires_at=lasts_until)
    if hold.extended >= most:
        return Refusal.of("extension_limit", hold=hold.hold, extended=hold.extended)
    if hold.dies_at_us is not None and expires_at_us > hold.dies_at_us:
        return Refusal.of("beyond_maximum_life", hold=hold.hold, dies_at=from_us(hold.dies_at_us).isoformat())
    return None
