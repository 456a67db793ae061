"""Signatures over the raw bytes of a message, checked in constant time against every valid secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from omo_core.channels.port import Headers
from omo_core.model.errors import ForgedSignature, StaleSignature

MAX_AGE: Final = timedelta(minutes=5)
"""How long ago, and how far ahead, the time in a signed message may lie: senders' clocks differ, and queues wait."""


def sign_base64(secret: str, body: bytes) -> str:
    """The base64 text of HMAC-SHA256(secret, body)."""
    return base64.b64encode(_digest(secret, body)).decode("ascii")


def sign_hex(secret: str, body: bytes) -> str:
    """The lower-case hexadecimal text of HMAC-SHA256(secret, body)."""
    return _digest(secret, body).hex()


def verify_base64(secrets: Sequence[str], body: bytes, given: str | None) -> None:
    """Raise `ForgedSignature` unless `given` is the base64 signature of `body` under one of the secrets."""
    verify_one_of((sign_base64(secret, body) for secret in secrets), given)


def verify_hex(secrets: Sequence[str], body: bytes, given: str | None) -> None:
    """Raise `ForgedSignature` unless `given` is the hexadecimal signature of `body` under one of the secrets."""
    verify_one_of((sign_hex(secret, body) for secret in secrets), given)


def verify_one_of(expected: Iterable[str], given: str | None) -> None:
    """Raise `ForgedSignature` unless `given` is one of the texts that the current secrets make of the message.

    Every text is compared, in constant time: give one for each secret, and none where none is configured.
    """
    texts = list(expected)
    if not texts:
        raise ForgedSignature("no secret is configured for this channel; configure the one it signs with")
    if not given:
        raise ForgedSignature("the message has no signature; send it with the channel's signature header")
    # Texts are compared, not decoded bytes: base64 decoders take several texts for the same bytes. And as bytes,
    # because compare_digest raises on text that is not ASCII.
    presented = given.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(text.encode("ascii"), presented) for text in texts]
    if not any(matches):
        raise ForgedSignature("the signature matches no current secret of this channel; check the secret and the bytes")


def check_age(signed_at: datetime, now: datetime | None, *, max_age: timedelta = MAX_AGE) -> None:
    """Raise `StaleSignature` where a message was signed more than `max_age` before or after `now`; None asks nothing."""
    if now is not None and abs(now - signed_at) > max_age:
        raise StaleSignature(
            f"the message was signed for {signed_at.isoformat()}, more than {max_age} from {now.isoformat()}; check the"
            " clocks, or have it sent again"
        )


def md5_hex(text: str | bytes) -> str:
    """The lower-case hexadecimal MD5 that several platforms sign with; it protects nothing else here."""
    data = text.encode() if isinstance(text, str) else text
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def sorted_pairs(parameters: Mapping[str, str], *, between: str = "", joined: str = "") -> str:
    """Names and values in order of the names, the way most platforms write what they sign: k1v1k2v2."""
    return joined.join(f"{name}{between}{parameters[name]}" for name in sorted(parameters))


def header(headers: Headers, *names: str) -> str | None:
    """The first header found under one of the names, in the order of the names; case is ignored."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)


def _digest(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()
