"""Every published signature vector comes out of the library's own signing functions."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from omo_core.channels.signing import md5_hex, sign_base64, sign_hex
from omo_core.channels.wechat_shop_message import encrypted, signature
from tests.channels.samples import needs_samples

Vector = Mapping[str, Any]


def bytes_of(vector: Vector, between: str = "") -> bytes:
    return f"{vector.get('prefix', '')}{between}{vector['body']}{vector.get('suffix', '')}".encode()


def around(vector: Vector) -> str:
    """The body between two secrets, as the gateways of China sign parameters."""
    return f"{vector['key']}{vector['body']}{vector['key']}"


def aes(vector: Vector) -> str:
    random = vector["random"].encode()
    return encrypted(vector["body"].encode(), key=vector["key"], app_id=vector["app_id"], random=random)


WAYS: Mapping[str, Callable[[Vector], str]] = {
    "b64(hmac_sha256(key, body))": lambda one: sign_base64(one["key"], bytes_of(one)),
    "b64(hmac_sha256(key, prefix+body))": lambda one: sign_base64(one["key"], bytes_of(one)),
    "hex(hmac_sha256(key, body))": lambda one: sign_hex(one["key"], bytes_of(one)),
    "hex(hmac_sha256(key, body+suffix))": lambda one: sign_hex(one["key"], bytes_of(one)),
    "hex(hmac_sha256(key, prefix+body))": lambda one: sign_hex(one["key"], bytes_of(one)),
    'hex(hmac_sha256(key, prefix+"|"+body))': lambda one: sign_hex(one["key"], bytes_of(one, "|")),
    "HEX(hmac_sha256(key, body))": lambda one: sign_hex(one["key"], bytes_of(one)).upper(),
    "hex(hmac_sha256(key, key+body+key))": lambda one: sign_hex(one["key"], around(one).encode()),
    "HEX(md5(key+body+key))": lambda one: md5_hex(around(one)).upper(),
    "hex(md5(body+key))": lambda one: md5_hex(one["body"] + one["key"]),
    "hex(md5(concat(sorted)))": lambda one: md5_hex("".join(sorted(one["parts"]))),
    "hex(sha1(concat(sorted)))": lambda one: signature(*one["parts"]),
    "wechat_aes": aes,
}


@needs_samples
def test_all_published_vectors(channel_facts: Path) -> None:
    vectors = json.loads((channel_facts / "signature_vectors.json").read_text(encoding="utf-8"))
    assert len(vectors) >= 19
    for vector in vectors:
        assert WAYS[vector["alg"]](vector) == vector["expected"], vector["id"]
    assert {vector["alg"] for vector in vectors} == set(WAYS)


@pytest.mark.parametrize(
    "alg", sorted(set(WAYS) - {"hex(md5(concat(sorted)))", "hex(sha1(concat(sorted)))", "wechat_aes"})
)
def test_each_way_depends_on_every_part(alg: str) -> None:
    plain = {"key": "k", "body": "b", "prefix": "p", "suffix": "s"}
    parts = [name for name in plain if name in alg]
    made = WAYS[alg]({name: plain[name] for name in parts})
    for name in parts:
        assert WAYS[alg]({**{one: plain[one] for one in parts}, name: "other"}) != made
