"""Signed forms, against the examples the platforms publish and by hand."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from omo_core.channels.forms import read_form
from omo_core.channels.gateway_signing import (
    china_time,
    form_request,
    hmac_md5,
    hmac_sha256,
    md5_around,
    with_signature,
)
from omo_core.channels.signing import md5_hex
from omo_core.model.errors import InvalidInput
from tests.channels.samples import needs_samples

PARAMETERS = {"b": "2", "a": "é", "c": ""}


def test_md5_stands_between_two_secrets_and_names_are_sorted() -> None:
    assert md5_around("s3cret", PARAMETERS) == md5_hex("s3cretaéb2cs3cret").upper()


def test_both_hmacs_are_keyed_with_the_secret() -> None:
    # RFC 2202 and RFC 4231, test case 2: the data is split into a name and its value.
    data = {"what do ya want ": "for nothing?"}
    assert hmac_md5("Jefe", data) == "750C783E6AB0B503EAA86E310A5DB738"
    assert hmac_sha256("Jefe", data) == "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843"


def test_a_signed_form_holds_what_was_asked_and_the_signature_of_all() -> None:
    request = form_request("https://gateway.example/rest", {"method": "m", "q": "50% & more"}, operation="m")
    signed = with_signature(request, {"app_key": "k", "session": None}, ("new", "old"), md5_around)
    form = read_form(signed.body)
    signature = form.pop("sign")
    assert form == {"method": "m", "q": "50% & more", "app_key": "k"}
    assert signature == md5_around("new", form)
    assert (signed.method, signed.operation) == ("POST", "m")


def test_nothing_is_signed_without_a_secret() -> None:
    request = form_request("https://gateway.example/rest", {}, operation="m")
    with pytest.raises(InvalidInput, match="no secret is configured"):
        with_signature(request, {}, (), md5_around)


def test_times_are_those_of_china() -> None:
    assert china_time(datetime(2026, 11, 21, 16, 0, 1, tzinfo=UTC)) == "2026-11-22 00:00:01"


@needs_samples
@pytest.mark.parametrize("name", ["taobao_top_md5_1", "jd_md5_1"])
def test_the_vectors_the_platforms_published(channel_facts: Path, name: str) -> None:
    vectors = json.loads((channel_facts / "signature_vectors.json").read_text(encoding="utf-8"))
    vector = next(one for one in vectors if one["id"] == name)
    # The example is written as one text; cut after its first name it is a name and a value again.
    first = {"taobao_top_md5_1": "app_key", "jd_md5_1": "360buy_param_json"}[name]
    assert vector["body"].startswith(first)
    assert md5_around(vector["key"], {first: vector["body"].removeprefix(first)}) == vector["expected"]
