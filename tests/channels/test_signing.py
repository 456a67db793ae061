import base64
import hashlib
import hmac
import json
from pathlib import Path

import pytest

from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.port import ChannelAdapter
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.channels.signing import header, sign_base64, sign_hex, verify_base64, verify_hex
from omo_core.model.errors import ForgedSignature
from tests.channels.samples import needs_samples

# RFC 4231, test case 2.
KEY, DATA = "Jefe", b"what do ya want for nothing?"
HEX = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_the_digest_is_that_of_rfc_4231() -> None:
    assert sign_hex(KEY, DATA) == HEX
    assert base64.b64decode(sign_base64(KEY, DATA)).hex() == HEX
    verify_hex((KEY,), DATA, HEX)
    verify_base64((KEY,), DATA, base64.b64encode(bytes.fromhex(HEX)).decode())


@needs_samples
def test_the_vector_shopify_published(channel_facts: Path) -> None:
    vectors = json.loads((channel_facts / "signature_vectors.json").read_text(encoding="utf-8"))
    vector = next(one for one in vectors if one["id"] == "shopify_webhook_1")
    adapter = ShopifyAdapter(ShopifyConfig(secrets=(vector["key"],)))
    adapter.verify({vector["header"]: vector["expected"]}, vector["body"].encode())
    with pytest.raises(ForgedSignature):
        adapter.verify({vector["header"]: vector["expected"]}, vector["body"].encode() + b" ")


BODY = b'{"a":"<>&\\u00e9/"}'


@pytest.mark.parametrize(
    ("adapter", "name", "signature"),
    [
        (ShopifyAdapter(ShopifyConfig(secrets=("new", "old"))), "X-Shopify-Hmac-Sha256", sign_base64),
        (ShopifyAdapter(ShopifyConfig(secrets=("new", "old"))), "Shopify-Hmac-Sha256", sign_base64),
        (
            NativeAdapter(NativeConfig(secrets=("new", "old"))),
            "X-Omo-Signature",
            lambda s, b: "sha256=" + sign_hex(s, b),
        ),
    ],
)
def test_rotated_secrets_still_sign_and_others_do_not(adapter: ChannelAdapter, name: str, signature) -> None:  # type: ignore[no-untyped-def]
    adapter.verify({name: signature("new", BODY)}, BODY)
    adapter.verify({name.upper(): signature("old", BODY)}, BODY)
    for forged in (
        signature("other", BODY),
        signature("", BODY),
        signature("new", BODY + b" "),
        "sha256=",
        "",
        "=" * 44,
    ):
        with pytest.raises(ForgedSignature):
            adapter.verify({name: forged}, BODY)


def test_every_byte_of_the_body_counts() -> None:
    given = sign_base64("s", BODY)
    for place in range(len(BODY)):
        for bit in range(8):
            changed = BODY[:place] + bytes([BODY[place] ^ 1 << bit]) + BODY[place + 1 :]
            with pytest.raises(ForgedSignature):
                verify_base64(("s",), changed, given)


def test_every_character_of_the_signature_counts() -> None:
    """A decoder that skips junk or ignores spare bits would take several texts for one signature."""
    given = sign_base64("s", BODY)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=- \n"
    others = {given[:at] + other + given[at + 1 :] for at in range(len(given)) for other in alphabet} - {given}
    for forged in (*others, given + "=", given + "\n", " " + given, given.replace("=", "")):
        with pytest.raises(ForgedSignature):
            verify_base64(("s",), BODY, forged)


def test_a_body_written_anew_is_forged() -> None:
    anew = json.dumps(json.loads(BODY)).encode()
    assert json.loads(anew) == json.loads(BODY)
    with pytest.raises(ForgedSignature):
        verify_hex(("s",), anew, sign_hex("s", BODY))


@pytest.mark.parametrize("given", ["é" * 44, "签名", "\ud800", "\x00", "🍵" + HEX])
def test_signatures_in_other_scripts_are_forged_not_a_crash(given: str) -> None:
    for verify in (verify_hex, verify_base64):
        with pytest.raises(ForgedSignature, match="matches no current secret"):
            verify((KEY,), DATA, given)


def test_no_signature_and_no_secret_are_refused() -> None:
    for missing in (None, ""):
        with pytest.raises(ForgedSignature, match="has no signature"):
            verify_hex((KEY,), DATA, missing)
    with pytest.raises(ForgedSignature, match="no secret is configured"):
        verify_hex((), DATA, HEX)


def test_an_upper_case_digest_is_not_ours() -> None:
    with pytest.raises(ForgedSignature):
        verify_hex((KEY,), DATA, HEX.upper())


def test_secrets_do_not_show() -> None:
    for config in (ShopifyConfig(secrets=("hush",)), NativeConfig(secrets=("hush",))):
        assert "hush" not in repr(config)
        assert "hush" not in str(config)


def test_header_names_have_no_case_and_an_order_of_preference() -> None:
    assert header({"x-a": "1"}, "X-A") == "1"
    assert header({"B": "2", "X-A": "1"}, "x-a", "b") == "1"
    assert header({"B": "2"}, "x-a", "b") == "2"
    assert header({}, "x-a") is None


def test_secrets_may_hold_any_text() -> None:
    expected = hmac.new("clé ☕".encode(), DATA, hashlib.sha256).hexdigest()
    verify_hex(("clé ☕",), DATA, expected)
