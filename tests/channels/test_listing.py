"""Pages of orders: each entry is read for itself, and what cannot be read is named."""

from typing import Any

import pytest

from omo_core.channels.cursor import Cursor
from omo_core.channels.intents import Page, Reference
from omo_core.channels.listing import name_of, read_each
from omo_core.model.errors import UnreadableBody


def read(one: Cursor) -> Reference:
    return one.build(Reference, external_id=one.identifier("id"))


def test_one_bad_entry_takes_no_other_along() -> None:
    page = Cursor({"orders": [{"id": 1}, {"id": True}, {"id": "3"}, {}]})
    listed = read_each(page.documents("orders"), "id", read)
    assert [one.external_id for one in listed.references] == ["1", "3"]
    assert [name for name, _ in listed.unreadable] == ["$.orders[1]", "$.orders[3]"]
    assert listed.met == 4
    assert Page(references=listed.references, unreadable=listed.unreadable).orders == ()


def test_what_is_no_page_is_refused() -> None:
    with pytest.raises(UnreadableBody, match=r"\$\.orders\[1\] is a text"):
        read_each(Cursor({"orders": [{"id": 1}, "x"]}).documents("orders"), "id", read)


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (7, "7"),
        (" a-1 ", "a-1"),
        ("", "$.orders[0]"),
        ("a\nb", "$.orders[0]"),
        ("x" * 129, "$.orders[0]"),
        (False, "$.orders[0]"),
        ({"id": 1}, "$.orders[0]"),
    ],
)
def test_the_name_of_what_cannot_be_read(value: Any, name: str) -> None:
    (one,) = Cursor({"orders": [{"id": value}]}).documents("orders")
    assert name_of(one, "id") == name
    assert Page(unreadable=((name, "why"),)).unreadable
