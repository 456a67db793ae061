"""Typed exceptions: defects, outages, and input that cannot be used; each message says what to do."""

from __future__ import annotations

from typing import Any, ClassVar


class OmoError(Exception):
    """Base of every exception this library raises on purpose; `code` is stable, the message says what to do."""

    code: ClassVar[str] = "omo_error"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.details: dict[str, Any] = details


class InvalidInput(OmoError, ValueError):
    """A value, file or document that cannot be used as it is; nothing of it was applied."""

    code = "invalid_input"


class InvalidMoney(InvalidInput):
    """An amount that is not a finite decimal with at most the currency's digits, or an unknown currency."""

    code = "invalid_money"


class UnreadableBody(InvalidInput):
    """Bytes that are not the document they claim to be (encoding, JSON, duplicate keys, NaN, wrong field)."""

    code = "unreadable_body"


class BodyTooLarge(InvalidInput):
    """A body over the size limit; it was not read."""

    code = "body_too_large"


class ForgedSignature(OmoError):
    """A message whose signature does not match any current secret of its channel, or that has none."""

    code = "forged_signature"


class StaleSignature(ForgedSignature):
    """A message that was signed too long ago, or for a time to come; check the clocks, or have it sent again."""

    code = "stale_signature"


class ChannelUnavailable(OmoError):
    """A channel did not answer, or not with what was asked for; ask again later, nothing was changed here."""

    code = "channel_unavailable"


class ForbiddenAddress(OmoError):
    """An address that is not of the public internet, or not reached by https; correct the channel's configuration."""

    code = "forbidden_address"


class UnknownChannel(InvalidInput):
    """A channel name that no installed adapter answers to."""

    code = "unknown_channel"


class DuplicateKeyMismatch(OmoError):
    """An idempotency key used again with another request; nothing was applied. Use a new key for a new command."""

    code = "duplicate_key_mismatch"


class InvariantViolation(OmoError):
    """A stock row is halted because it broke an invariant; run `omo audit` and repair it before selling from it."""

    code = "invariant_violation"


class HubClosed(OmoError):
    """A hub used after its `close()`; nothing was applied. Open another one."""

    code = "hub_closed"


class Overloaded(OmoError):
    """More commands wait than are answered in useful time; send this one again later, with the same key."""

    code = "overloaded"


class DatabaseError(OmoError):
    """The database cannot be used as it is, or did not answer."""

    code = "database_error"


class DatabaseOutdated(DatabaseError):
    """The database has an older schema than this library; run `omo migrate --database URL`."""

    code = "database_outdated"


class DatabaseTooNew(DatabaseError):
    """The database was migrated by a newer version of this library; upgrade omo_core before opening it."""

    code = "database_too_new"


class DatabaseFull(DatabaseError):
    """The disk or the database is full; the transaction was rolled back and nothing was applied."""

    code = "database_full"


class DatabaseUnavailable(DatabaseError):
    """The database did not answer within the retries; repeat the command with the same key."""

    code = "database_unavailable"
