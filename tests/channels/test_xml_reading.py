"""The XML reader: what it reads, and everything it refuses."""

import pytest

from omo_core.channels.xml_reading import MAX_DEPTH, MAX_ELEMENTS, read_xml
from omo_core.model.errors import BodyTooLarge, UnreadableBody


def test_elements_become_objects_texts_and_lists() -> None:
    body = "<xml>\n <a><![CDATA[<1> & 2]]></a><b/><c>x</c><c>y</c><c/><d><e>数</e></d>\n</xml>".encode()
    assert read_xml(body) == {"xml": {"a": "<1> & 2", "b": "", "c": ["x", "y", ""], "d": {"e": "数"}}}
    assert read_xml(b'<?xml version="1.0" encoding="UTF-8"?><xml>&lt;&#65;</xml>') == {"xml": "<A"}
    assert read_xml("<x>é</x>".encode()) == {"x": "é"}


def test_the_declared_encoding_decides_nothing() -> None:
    assert read_xml('<?xml version="1.0" encoding="iso-8859-1"?><x>é</x>'.encode()) == {"x": "é"}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "no element found"),
        (b"<x>", "no element found"),
        (b"<x></y>", "mismatched tag"),
        (b"<x/><y/>", "junk after document element"),
        (b"{}", "not XML"),
        (b"<!DOCTYPE x><x/>", "document type"),
        (b'<!DOCTYPE x [<!ENTITY a "1">]><x>&a;</x>', "document type"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>', "document type"),
        (b"<x>&a;</x>", "undefined entity"),
        (b'<x a="1"/>', "attributes"),
        (b"<x><?php ?></x>", "processing instruction"),
        (b"<x>text<y/></x>", "text beside its elements"),
        (b"<x>\x00</x>", "not XML"),
        (b"<x>&#0;</x>", "reference to invalid character"),
        (b"\xff<x/>", "byte 0 of the body is not UTF-8"),
        ("<x/>".encode("utf-16"), "not UTF-8"),
        (b"<a>" * (MAX_DEPTH + 1), "nests deeper than 32"),
        (b"<x>" + b"<y/>" * MAX_ELEMENTS + b"</x>", "over 10000 elements"),
    ],
)
def test_what_is_refused(body: bytes, fault: str) -> None:
    with pytest.raises(UnreadableBody, match=fault):
        read_xml(body)


def test_nesting_up_to_the_limit_is_read() -> None:
    assert read_xml(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)


def test_a_large_body_is_not_read() -> None:
    with pytest.raises(BodyTooLarge):
        read_xml(b"<x/>" + b" " * 10, max_bytes=10)
