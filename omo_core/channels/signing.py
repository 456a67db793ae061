"""HMAC-SHA256 signatures over the raw bytes of a message, checked in constant time against every valid secret."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Sequence

from omo_core.channels.port import Headers
from omo_core.model.errors import ForgedSignature


def sign_base64(secret: str, body: bytes) -> str:
    """The base64 text of HMAC-SHA256(secret, body)."""
    return base64.b64encode(_digest(secret, body)).decode("ascii")


def sign_hex(secret: str, body: bytes) -> str:
    """The lower-case hexadecimal text of HMAC-SHA256(secret, body)."""
    return _digest(secret, body).hex()


def verify_base64(secrets: Sequence[str], body: bytes, given: str | None) -> None:
    """Raise `ForgedSignature` unless `given` is the base64 signature of `body` under one of the secrets."""
    _verify(secrets, body, given, sign_base64)


def verify_hex(secrets: Sequence[str], body: bytes, given: str | None) -> None:
    """Raise `ForgedSignature` unless `given` is the hexadecimal signature of `body` under one of the secrets."""
    _verify(secrets, body, given, sign_hex)


def header(headers: Headers, *names: str) -> str | None:
    """The first header found under one of the names, in the order of the names; case is ignored."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)


def _digest(secret: str, body: bytes) -> bytes:
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def _verify(secrets: Sequence[str], body: bytes, given: str | None, sign: Callable[[str, bytes], str]) -> None:
    if not secrets:
        raise ForgedSignature("no secret is configured for this channel; configure the one it signs with")
    if not given:
        raise ForgedSignature("the message has no signature; send it with the channel's signature header")
    # Texts are compared, not decoded bytes: base64 decoders take several texts for the same bytes. And as bytes,
    # because compare_digest raises on text that is not ASCII.
    presented = given.encode("utf-8", "surrogatepass")
    matches = [hmac.compare_digest(sign(secret, body).encode("ascii"), presented) for secret in secrets]
    if not any(matches):
        raise ForgedSignature("the signature matches no current secret of this channel; check the secret and the bytes")
