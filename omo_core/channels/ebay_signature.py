"""Checks eBay's signature over a notification: ECDSA with a key of eBay's own, named in a base64 header of JSON.

The rule is that of eBay's own SDKs: https://github.com/eBay/event-notification-nodejs-sdk. The public keys come from
its getPublicKey call; a host fetches them and puts them into the configuration, for this room does no I/O.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from omo_core.channels.reading import read_json
from omo_core.model.errors import ForgedSignature, InvalidInput

_DIGESTS: Final = ("SHA1", "SHA256")
_LONGEST: Final = 4_000


def verify_ecdsa(keys: Sequence[str], body: bytes, given: str | None) -> None:
    """Raise `ForgedSignature` unless one of eBay's keys signed the body; needs the extra `crypto`.

    Keys are PEM texts as getPublicKey gives them, or their base64 alone; texts that are no such key match nothing.
    """
    if not keys:
        raise ForgedSignature("no key is configured for this channel; configure the public keys that eBay signs with")
    if not given:
        raise ForgedSignature("the message has no signature; send it with the X-EBAY-SIGNATURE header")
    signature, digest = _signature(given)
    if not any(_signed(key, signature, digest, body) for key in keys):
        raise ForgedSignature("the signature matches no current key of this channel; fetch the key that it names")


def _signature(given: str) -> tuple[bytes, str]:
    """The signature in a header and the digest it was made with."""
    try:
        if len(given) > _LONGEST:
            raise ForgedSignature("the signature header is longer than any of eBay's; send it as eBay sent it")
        document: Any = read_json(_exact_base64(given))
        digest = document.get("digest", "SHA1") if isinstance(document, dict) else None
        if digest not in _DIGESTS:
            raise ForgedSignature("the signature header names no digest of eBay's; send it as eBay sent it")
        return _exact_base64(document.get("signature")), digest
    except (InvalidInput, binascii.Error, ValueError, TypeError):
        raise ForgedSignature("the signature header is not eBay's base64 of JSON; send it as eBay sent it") from None


def _exact_base64(text: Any) -> bytes:
    """The bytes of a base64 text, which only that text stands for."""
    plain = text.encode("ascii") if isinstance(text, str) else b""
    found = base64.b64decode(plain, validate=True)
    if not found or base64.b64encode(found) != plain:
        raise ValueError("another text for the same bytes")
    return found


def _signed(key: str, signature: bytes, digest: str, body: bytes) -> bool:
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
    except ImportError:
        raise InvalidInput("eBay's signatures need the package cryptography; install omo-core[crypto]") from None
    public = _public_key(key)
    if public is None:
        return False
    try:
        public.verify(signature, body, ec.ECDSA(hashes.SHA1() if digest == "SHA1" else hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=64)
def _public_key(text: str) -> Any:
    """The elliptic curve key in a text, or None."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    bare = text.replace("-----BEGIN PUBLIC KEY-----", "").replace("-----END PUBLIC KEY-----", "")
    try:
        key = load_der_public_key(base64.b64decode("".join(bare.split()), validate=True))
    except ValueError:
        return None
    return key if isinstance(key, ec.EllipticCurvePublicKey) else None
