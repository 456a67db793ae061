"""Signed form requests, the way the open gateways of China take them: a secret around sorted names and values."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlencode

from omo_core.channels.fields import CHINA
from omo_core.channels.forms import read_form
from omo_core.channels.intents import Request
from omo_core.channels.signing import md5_hex, sorted_pairs
from omo_core.model.errors import InvalidInput

Sign = Callable[[str, Mapping[str, str]], str]
"""(secret, parameters) to the text of the signature."""

FORM: Final = (("Content-Type", "application/x-www-form-urlencoded;charset=utf-8"),)


def md5_around(secret: str, parameters: Mapping[str, str]) -> str:
    """Upper-case hexadecimal MD5 of secret + k1v1k2v2… + secret."""
    return md5_hex(f"{secret}{sorted_pairs(parameters)}{secret}").upper()


def hmac_md5(secret: str, parameters: Mapping[str, str]) -> str:
    """Upper-case hexadecimal HMAC-MD5 of k1v1k2v2…, keyed with the secret."""
    return hmac.new(secret.encode(), sorted_pairs(parameters).encode(), hashlib.md5).hexdigest().upper()


def hmac_sha256(secret: str, parameters: Mapping[str, str]) -> str:
    """Upper-case hexadecimal HMAC-SHA256 of k1v1k2v2…, keyed with the secret."""
    return hmac.new(secret.encode(), sorted_pairs(parameters).encode(), hashlib.sha256).hexdigest().upper()


def form_request(url: str, parameters: Mapping[str, str], *, operation: str, items: tuple[str, ...] = ()) -> Request:
    """A POST of a form without its credentials; `with_signature` adds them."""
    return Request(
        method="POST", url=url, headers=FORM, body=urlencode(parameters).encode(), operation=operation, items=items
    )


def with_signature(
    request: Request, more: Mapping[str, str | None], secrets: Sequence[str], sign: Sign, *, field: str = "sign"
) -> Request:
    """The form with more fields (None leaves one out) and its signature, made with the current secret.

    Raises `InvalidInput` where no secret is configured.
    """
    if not secrets:
        raise InvalidInput("no secret is configured for this channel; configure the one its requests are signed with")
    parameters = read_form(request.body) if request.body else {}
    parameters |= {name: value for name, value in more.items() if value is not None}
    parameters[field] = sign(secrets[0], parameters)
    return request.model_copy(update={"body": urlencode(parameters).encode()})


def china_time(instant: datetime) -> str:
    """The instant as these gateways write it, such as 2026-11-22 09:30:00, in China's time."""
    return instant.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def compact_json(value: Any) -> str:
    """JSON without spaces, for parameters that hold it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
