import json
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings, strategies as st

from omo_core.channels import reading
from omo_core.channels.reading import MAX_BODY_BYTES, MAX_DEPTH, read_json, read_strictly
from omo_core.model.errors import BodyTooLarge, OmoError, UnreadableBody
from omo_core.testing.spoiling import spoilt_bodies
from tests.effort import examples


def test_numbers_are_exact() -> None:
    document = read_json(b'{"id": 820982911946154508, "price": 12.10, "big": -9223372036854775808, "e": 1.5e3}')
    assert document == {
        "id": 820982911946154508,
        "price": Decimal("12.10"),
        "big": -(2**63),
        "e": Decimal("1500"),
    }
    assert not any(isinstance(value, float) for value in document.values())


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"a": 1, "b": {"x": 1, "y": 2, "x": 3}}', "'x' is written twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1e400}', "1e400 is absurdly"),
        (b'{"a": 1e-400}', "1e-400 is absurdly"),
        (b'{"a": 1e99999999999999999999}', "absurdly"),
        (b'{"a": 0.' + b"1" * 50 + b"}", "absurdly long"),
        (b'{"a": ' + b"9" * 4301 + b"}", "integer of 4301 characters"),
        (b'{"a": "\xff"}', "byte 7 of the body is not UTF-8"),
        ('{"a": "é"}'.encode("latin-1"), "not UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
        (b'\xef\xbb\xbf{"a": 1}', "byte order mark"),
        (b'{"a": "\\ud800"}', r"\$\.a holds a NUL character or a lone surrogate"),
        (b'{"a": ["x", "\\uDFFFx"]}', r"\$\.a\[1\] holds"),
        (b'{"a": "x\\u0000"}', r"\$\.a holds a NUL"),
        (b'{"\\ud800": 1}', r"a key of \$ holds"),
        (b'{"a": "x\x00"}', "control character"),
        (b'{"a": 01}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b'{"a": 1} {}', "not JSON"),
        (b'{"a": /* why */ 1}', "not JSON"),
        (b'{"a": \xd9\xa1\xd9\xa2}', "not JSON"),
        (b"", "not JSON"),
        (b"   ", "not JSON"),
    ],
)
def test_what_json_loads_would_let_through_is_refused(body: bytes, says: str) -> None:
    with pytest.raises(UnreadableBody, match=says) as refusal:
        read_json(body)
    assert str(refusal.value).encode("utf-8")


def test_a_pair_of_surrogates_is_one_character_and_an_escaped_backslash_is_none() -> None:
    assert read_json(b'{"a": "\\ud83c\\udf75", "b": "\\\\u0000 \\\\ud800"}') == {"a": "🍵", "b": "\\u0000 \\ud800"}


def test_the_size_is_checked_before_anything_is_read() -> None:
    assert read_json(b'"' + b"a" * (MAX_BODY_BYTES - 2) + b'"') == "a" * (MAX_BODY_BYTES - 2)
    with pytest.raises(BodyTooLarge, match="at most 2097152"):
        read_json(b"\xff" * (MAX_BODY_BYTES + 1))
    with pytest.raises(BodyTooLarge, match="at most 3") as refusal:
        read_json(b"1234", max_bytes=3)
    assert refusal.value.details == {"size": 4, "limit": 3}


def nested(depth: int, inner: str = "1") -> bytes:
    return ("[" * depth + inner + "]" * depth).encode()


def test_the_depth_is_bounded() -> None:
    assert json.loads(nested(MAX_DEPTH)) == read_json(nested(MAX_DEPTH))
    with pytest.raises(UnreadableBody, match="deeper than 32"):
        read_json(nested(MAX_DEPTH + 1))
    with pytest.raises(UnreadableBody, match="deeper than 32"):
        read_json(b'{"a":' * 40 + b"1" + b"}" * 40)


@pytest.mark.parametrize("decoy", ['"]"', r'"\"]"', r'"\\"', '"[[[["', r'"\\\"]]"'])
def test_brackets_in_strings_neither_hide_nor_feign_depth(decoy: str) -> None:
    wide = f"[{','.join([decoy] * 50)}]"
    assert read_json(nested(MAX_DEPTH - 1, wide)) == json.loads(nested(MAX_DEPTH - 1, wide))
    with pytest.raises(UnreadableBody, match="deeper than 32"):
        read_json(f"[{decoy},".encode() * (MAX_DEPTH + 1) + b"1" + b"]" * (MAX_DEPTH + 1))


@pytest.mark.parametrize("body", [b"[" * 1_000_000, b'{"a":' * 300_000, b'"' + b'\\"' * 1_000_000, b'\\"' * 1_000_000])
def test_hostile_bodies_neither_exhaust_the_stack_nor_the_clock(body: bytes) -> None:
    limit = sys.getrecursionlimit()
    with pytest.raises(UnreadableBody):
        read_json(body)
    assert sys.getrecursionlimit() == limit


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


def is_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(is_plain(key) and is_plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(is_plain(item) for item in value)
    return not isinstance(value, str) or "\x00" not in value


@settings(max_examples=examples(60))
@given(DOCUMENTS, st.booleans())
@example([["\\", '"', "]"]] * 20, False)
def test_it_agrees_with_json_loads_on_plain_documents(document: object, ascii_only: bool) -> None:
    body = json.dumps(document, ensure_ascii=ascii_only).encode()
    if is_plain(document):
        assert read_json(body) == document
    else:
        with pytest.raises(UnreadableBody, match="NUL"):
            read_json(body)


@settings(max_examples=examples(100))
@given(st.binary(max_size=60))
@example(b"\x00")
@example(b'{"a":"\\')
def test_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        document = read_json(body)
    except UnreadableBody:
        return
    assert document == json.loads(body.decode("utf-8"), parse_float=Decimal)


def outcome(read: Callable[[bytes], Any], body: bytes) -> str:
    """What came of reading, told apart by kind too: 1 is not 1.0, and Decimal("1.0") is not Decimal("1")."""
    try:
        return repr(read(body))
    except OmoError as error:
        return repr((type(error), str(error), error.details))


BLANK = st.sampled_from(["", "", "", " ", "\n\t", "\r\n "])
TEXT = st.one_of(
    st.text(max_size=6).map(json.dumps),
    st.text(max_size=6).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(
        [
            *(
                r'"\ud800"',
                r'"\ud83c\udf75"',
                r'"\u0000"',
                r'"\\u0000"',
                r'"\\"',
                r'"\":"',
                r'"\\\":"',
                '":"',
                '" :"',
                '"a:"',
            ),
            *(r'"{\"a\": 1, \"a\": 2}"', '".5,"', '"0.5}"', '"1e5]"', '"' + "9" * 30 + '"', '"[{"', r'"\u0022:"'),
        ]
    ),
)
NUMBER = st.one_of(
    st.integers(-(10**21), 10**21).map(str),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["-0", "0.0", "-0.0", "1e5", "1E-5", "1.5e400", "01", "1.", "NaN", "-Infinity", "12.50", "9" * 20]),
)


@st.composite
def an_object(draw: st.DrawFn, inner: st.SearchStrategy[str]) -> str:
    """Keys are few, so that the same is written twice, now and then in another way."""
    keys = st.sampled_from(['"a"', '"b"', r'"\u0061"', '"a:"', r'"\":"', '":"'])
    pairs = [
        f"{draw(BLANK)}{draw(keys)}{draw(BLANK)}:{draw(BLANK)}{draw(inner)}{draw(BLANK)}"
        for _ in range(draw(st.integers(0, 3)))
    ]
    return "{" + ",".join(pairs) + "}"


def a_list(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.lists(inner, max_size=3), BLANK).map(lambda found: f"[{(',' + found[1]).join(found[0])}]")


WRITTEN = st.recursive(
    TEXT | NUMBER | st.sampled_from(["null", "true", "false", "nul"]),
    lambda inner: an_object(inner) | a_list(inner),
    max_leaves=12,
)


@settings(max_examples=examples(300))
@given(WRITTEN, st.integers(0, 40))
@example('{"a": 1, "b": ":", "a": 2}', 0)
@example(r'{"a" : "\":", "a":1}', 0)
@example(r'{"b\\":1, "x": "\":"}', 0)
@example(r'{"b\\":1, "b\\":2, "x": "\":"}', 0)
@example('{"a": "\\u003a", "a": ":"}', 0)
@example('{"a": {"b": 1}, "a": {"c": 2}, "x": [":", "::"]}', 0)
@example("1.5", 0)
@example("[1e5]", 0)
@example("{}", MAX_DEPTH - 1)
@example("{}", MAX_DEPTH)
def test_the_fast_way_of_reading_means_what_the_strict_one_means(written: str, wrapped: int) -> None:
    body = ("[" * wrapped + written + "]" * wrapped).encode("utf-8", "surrogatepass")
    assert outcome(read_json, body) == outcome(read_strictly, body)


REAL_LIKE = (
    rb'{"id": 1001, "line_items": [{"sku": "MUG", "price": 12.5, "total": "12.50"}], "meta": "{\"a\": \"x:y\"}", "x": []}',
    '{"單號":"20261121-0001","備註":"\\u8acb\\/放管理室: 謝謝","時間":"2026-11-21T12:00:00+08:00","金額":["0.10",-3]}'.encode(),
)


def test_a_spoilt_body_is_refused_or_read_alike_by_both_ways() -> None:
    for body in spoilt_bodies(REAL_LIKE, 4_000, seed=5):
        assert outcome(read_json, body) == outcome(read_strictly, body), body


def test_what_platforms_send_is_read_the_fast_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "read_strictly", lambda body: pytest.fail(f"read strictly: {body!r}"))
    for body in REAL_LIKE:
        assert read_json(body)
