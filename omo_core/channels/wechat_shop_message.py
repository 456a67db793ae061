"""WeChat's messages: a signature in the query, and bodies in JSON or XML, plain or encrypted with AES-256-CBC.

Sources: https://developers.weixin.qq.com/doc/oplatform/developers/dev/push/verification.html (signature), the
platform's sample kit for the encryption (a random block, the length, the message, the app id; PKCS#7 of 32 bytes).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import Field

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import DialectConfig
from omo_core.channels.forms import read_query
from omo_core.channels.port import Headers
from omo_core.channels.reading import read_json
from omo_core.channels.signing import header
from omo_core.channels.xml_reading import read_xml
from omo_core.model.errors import ForgedSignature, InvalidInput, UnreadableBody
from omo_core.model.values import ChannelId, NodeId

_PATH: Final = re.compile(r"/[!-~]*")
_ECHO: Final = re.compile(r"[0-9A-Za-z_+/=-]{1,256}")
_KEY: Final = r"^[0-9A-Za-z]{43}$"
_BLOCK: Final = 32
_AES_BLOCK: Final = 16


class WechatShopConfig(DialectConfig):
    """How to read one shop's messages and documents; `secrets` are the tokens that its pushes are signed with."""

    channel: ChannelId = "wechat_shop"
    app_id: str = ""
    """Of the shop. An encrypted message names it: one of another shop is refused; empty takes any."""
    aes_keys: Annotated[tuple[Annotated[str, Field(pattern=_KEY)], ...], Field(repr=False)] = ()
    """EncodingAESKeys, the current one first. Where one is given, plain messages are refused: their signature does
    not cover what they say. Reading needs `pip install omo-core[crypto]`."""
    stores: Mapping[str, NodeId] = {}
    """The platform's store id to our node, for orders that are collected; a store not listed is its own node id."""


def signature(token: str, *parts: str) -> str:
    """The hexadecimal SHA-1 of token, timestamp, nonce and, where there is one, the encrypted message, sorted."""
    return hashlib.sha1("".join(sorted((token, *parts))).encode(), usedforsecurity=False).hexdigest()


def query_of(headers: Headers) -> dict[str, str]:
    """The fields of the query that a message was sent to; raises `ForgedSignature` where there are none to be read."""
    path = header(headers, ":path")
    if not path or not _PATH.fullmatch(path):
        raise ForgedSignature("the message has no path; hand on :path with the path and query it was sent to")
    try:
        return read_query(path)
    except UnreadableBody as error:
        raise ForgedSignature(f"the query of the message: {error}") from None


def challenge(query: Mapping[str, str], body: bytes) -> str | None:
    """What the platform wants to hear back when it asks for a new address; None where this is a message.

    Raises `UnreadableBody`.
    """
    echo = query.get("echostr")
    if echo is None or body:
        return None
    if not _ECHO.fullmatch(echo):
        raise UnreadableBody("echostr is no challenge of letters and digits; send it as the platform sent it")
    return echo


def read_body(body: bytes, max_bytes: int) -> Cursor:
    """The message in a JSON or XML body, as it was sent."""
    if body.lstrip()[:1] == b"<":
        return Cursor(read_xml(body, max_bytes=max_bytes)).child("xml")
    return Cursor(read_json(body, max_bytes=max_bytes))


def ciphertext(body: bytes, max_bytes: int) -> str | None:
    """The encrypted part of a message; None where it is plain."""
    return read_body(body, max_bytes).optional_text("Encrypt")


def decrypted(encrypted: str, config: WechatShopConfig) -> bytes:
    """The message that is encrypted; raises `UnreadableBody`, or `InvalidInput` where `cryptography` is missing."""
    for key in config.aes_keys:
        plain = _unpadded(_decrypt(key, encrypted))
        if plain is None or len(plain) < 20:
            continue
        size = int.from_bytes(plain[16:20], "big")
        message, app_id = plain[20 : 20 + size], plain[20 + size :]
        if len(message) == size and (not config.app_id or app_id == config.app_id.encode()):
            return message
    raise UnreadableBody(
        "$.Encrypt cannot be decrypted for this app with the configured aes_keys; check the key and app_id",
        path="$.Encrypt",
    )


def encrypted(message: bytes, *, key: str, app_id: str, random: bytes) -> str:
    """The message as the platform encrypts it; `random` are 16 bytes."""
    if len(random) != _AES_BLOCK:
        raise ValueError("random must be 16 bytes")
    plain = random + len(message).to_bytes(4, "big") + message + app_id.encode()
    padding = _BLOCK - len(plain) % _BLOCK
    worker = _cipher(key).encryptor()
    return base64.b64encode(worker.update(plain + bytes([padding]) * padding) + worker.finalize()).decode("ascii")


def _decrypt(key: str, text: str) -> bytes:
    try:
        data = base64.b64decode(text.encode("ascii", "replace"), validate=True)
    except binascii.Error:
        raise UnreadableBody("$.Encrypt is no base64; send it as the platform sent it", path="$.Encrypt") from None
    if not data or len(data) % _AES_BLOCK:
        raise UnreadableBody("$.Encrypt is cut short; send it as the platform sent it", path="$.Encrypt")
    worker = _cipher(key).decryptor()
    plain: bytes = worker.update(data) + worker.finalize()
    return plain


def _unpadded(data: bytes) -> bytes | None:
    """The bytes without PKCS#7 padding to 32; None where it is not there: another key was used."""
    size = data[-1]
    return data[:-size] if 1 <= size <= _BLOCK and data.endswith(bytes([size]) * size) else None


def _cipher(encoding_key: str) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    except ImportError as missing:
        raise InvalidInput("encrypted messages need cryptography; run: pip install 'omo-core[crypto]'") from missing
    key = base64.b64decode(encoding_key + "=")
    return Cipher(algorithms.AES(key), modes.CBC(key[:_AES_BLOCK]))


def expected(config: WechatShopConfig, parts: Sequence[str]) -> list[str]:
    """The signatures of these parts under every token."""
    return [signature(token, *parts) for token in config.secrets]
