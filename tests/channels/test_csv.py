"""Tables of orders: columns, encodings, delimiters, formulas, and one fault for each bad row."""

import csv
import io
import re
from typing import Any, ClassVar

import pytest
from hypothesis import assume, given, settings

from omo_core.channels.csv_orders import COLUMNS, NEEDED
from omo_core.channels.csv_table import CsvAdapter, CsvConfig
from omo_core.model.errors import BodyTooLarge, InvalidInput, InvalidMoney, UnreadableBody
from omo_core.model.network import DeliveryMethod
from omo_core.model.orders import Order
from omo_core.testing.contracts import ChannelAdapterContract
from omo_core.testing.writers import write_csv_orders
from tests.channels.orders import plain_order
from tests.channels.strategies import orders
from tests.effort import examples
from tools.house_rules import ROOT

ADAPTER = CsvAdapter(CsvConfig(currency="USD"))
HEADER = ("external_id", "placed_at", "sku", "quantity")
WHEN = "2026-11-21T09:30:00Z"
TWO = """external_id,placed_at,sku,quantity,unit_price,total,city
1001,2026-11-21T09:30:00Z,MUG-BLUE,2,12.50,29.00,"Springfield, East"
1001,2026-11-21T09:30:00Z,TEA-100,1,4.00,,
1002,2026-11-21T10:00:00Z,MUG-BLUE,1,12.50,12.50,
"""


class TestCsv(ChannelAdapterContract):
    adapter = CsvAdapter(CsvConfig(currency="USD", max_bytes=100_000))
    max_bytes = 100_000
    documents: ClassVar = ((write_csv_orders([plain_order()]),), (TWO.encode().partition(b"1002")[0],))
    fuzzed = 10_000


def table(*rows: tuple[Any, ...], header: tuple[str, ...] = HEADER, delimiter: str = ",") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows])
    return text.getvalue().encode()


def test_rows_of_one_order_stand_together() -> None:
    first, second = ADAPTER.parse_orders(TWO.encode())
    assert (first.channel, first.external_id, first.currency) == ("csv", "1001", "USD")
    assert [(line.line, line.sku, line.quantity) for line in first.lines] == [("1", "MUG-BLUE", 2), ("2", "TEA-100", 1)]
    assert first.amounts is not None
    assert (first.amounts.total_minor, first.amounts.imbalance_minor) == (2900, 0)
    assert first.deliveries[0].address is not None
    assert first.deliveries[0].address.city == "Springfield, East"
    assert second.deliveries[0].address is None
    with pytest.raises(UnreadableBody, match="the table holds 2 orders; send exactly one here"):
        ADAPTER.parse_order(TWO.encode())


def test_rows_of_one_order_agree_on_what_they_say_of_it() -> None:
    rows = TWO.replace("TEA-100,1,4.00,,", "TEA-100,1,4.00,29.00,Shelbyville")
    found = ADAPTER.read(rows.encode())
    assert [order.external_id for order in found.orders] == ["1002"]
    (fault,) = found.faults
    assert (fault.line, fault.column) == (3, "city")
    assert str(fault.error) == (
        "line 3, column city differs from the order's first row, line 2; say it alike, or leave it empty"
    )
    alike = TWO.replace("TEA-100,1,4.00,,", 'TEA-100,1,4.00,29.00,"Springfield, East"')
    assert ADAPTER.read(alike.encode()).faults == ()


def test_every_column_means_something() -> None:
    cells = {
        **dict.fromkeys(("taxes_included", "test", "gift", "preorder", "ship_complete"), "yes"),
        "external_id": "1",
        "placed_at": WHEN,
        "sku": "A",
        "quantity": "3",
        "current_quantity": "2",
        "line": "a",
        "unit_price": "2.00",
        "gross": "5.00",
        "discount": "1.00",
        "tax": "0.50",
        "total": "4.00",
        "total_discount": "1.00",
        "total_tax": "0.50",
        "method": "pickup",
        "pickup_node": "TPE-01",
        "street": "1 Main Street\nFloor 2",
        "latitude": "39.8",
        "longitude": "-89.65",
        "phone": "+1 (555) 010-99",
        "deliver_by": WHEN,
        "ship_by": WHEN,
        "not_before": WHEN,
        "note": "- ring twice",
        "physical": "1",
    }
    order = ADAPTER.parse_order(table(tuple(cells.values()), header=tuple(cells)))
    (line,) = order.lines
    assert (line.line, line.current_quantity, line.gift, line.preorder, line.physical) == ("a", 2, True, True, True)
    assert order.amounts is not None
    assert (order.amounts.taxes_included, order.amounts.imbalance_minor) == (True, 0)
    (delivery,) = order.deliveries
    assert (delivery.method, delivery.pickup_node) == (DeliveryMethod.PICKUP, "TPE-01")
    assert delivery.address is not None
    assert delivery.address.street == ("1 Main Street", "Floor 2")
    assert delivery.address.phone == "+1 (555) 010-99"
    assert delivery.deliver_by == delivery.ship_by == delivery.not_before == order.placed_at
    assert (order.test, order.ship_complete, order.note) == (True, True, "- ring twice")


BAD: list[tuple[tuple[str, ...], tuple[str, ...], type[Exception], str]] = [
    (HEADER, ("1", WHEN, "A", "1.5"), UnreadableBody, "line 2, column quantity is 1.5; send a whole number of units"),
    (HEADER, ("1", WHEN, "A", "many"), UnreadableBody, "line 2, column quantity is a text; send"),
    (HEADER, ("1", WHEN, "A", "-2"), UnreadableBody, "line 2, column quantity is -2; send a whole number"),
    (HEADER, ("1", WHEN, "A", "9" * 18), UnreadableBody, "line 2, column quantity is 999999999999999999; send"),
    (HEADER, ("1", WHEN, "A", ""), UnreadableBody, "line 2, column quantity is missing"),
    (HEADER, ("1", "yesterday", "A", "1"), UnreadableBody, "line 2, column placed_at is 'yesterday'; send a time"),
    (HEADER, ("", WHEN, "A", "1"), UnreadableBody, "line 2, column external_id is missing"),
    (HEADER, ("1", WHEN, "S" * 129, "1"), UnreadableBody, "line 2, column sku cannot be used"),
    ((*HEADER, "unit_price"), ("1", WHEN, "A", "1", "1,50"), InvalidMoney, "line 2, column unit_price is '1,50', not"),
    ((*HEADER, "total"), ("1", WHEN, "A", "1", "1.00"), UnreadableBody, "is missing and not every line has a unit"),
    ((*HEADER, "gift"), ("1", WHEN, "A", "1", "maybe"), UnreadableBody, "line 2, column gift is a text; send true"),
    ((*HEADER, "currency"), ("1", WHEN, "A", "1", "EURO"), InvalidMoney, "line 2, column currency 'EURO' is not"),
    ((*HEADER, "latitude"), ("1", WHEN, "A", "1", "91"), UnreadableBody, "line 2, column latitude is no number of"),
    ((*HEADER, "method"), ("1", WHEN, "A", "1", "pickup"), UnreadableBody, "a pickup names its pickup_node"),
    ((*HEADER, "country"), ("1", WHEN, "A", "1", "Taiwan"), UnreadableBody, "line 2, column country cannot be used"),
]


@pytest.mark.parametrize(("header", "row", "kind", "says"), BAD, ids=lambda one: str(one)[-30:])
def test_a_bad_row_is_named_by_line_and_column(
    header: tuple[str, ...], row: tuple[str, ...], kind: type[Exception], says: str
) -> None:
    with pytest.raises(kind, match=re.escape(says)) as refusal:
        ADAPTER.parse_orders(table(row, header=header))
    assert type(refusal.value) is kind
    assert str(refusal.value).startswith("line 2")


def test_every_bad_row_has_a_fault_and_the_good_orders_are_kept() -> None:
    rows = [
        ("A", WHEN, "MUG", "1"),
        ("B", WHEN, "MUG", "0"),
        ("B", WHEN, "CUP", "1"),
        ("B", WHEN, "POT", "x"),
        ("C", WHEN, "CUP", "1"),
        ("A", WHEN, "CUP", "1"),
    ]
    found = ADAPTER.read(table(*rows))
    assert [order.external_id for order in found.orders] == ["A", "C"]
    assert [(fault.line, fault.column, fault.error.code) for fault in found.faults] == [
        (3, "quantity", "unreadable_body"),
        (5, "quantity", "unreadable_body"),
        (7, "external_id", "unreadable_body"),
    ]
    assert "names the order of line 2 again; put the rows of one order together" in str(found.faults[2].error)


def test_columns_may_have_their_own_names() -> None:
    header = ("Bestellung", "placed_at", "Artikel", "quantity", "Farbe")
    config = CsvConfig(currency="EUR", columns={"external_id": "Bestellung", "sku": "Artikel"})
    body = table(("1", WHEN, "A" * 129, "1", "rot"), header=header)
    with pytest.raises(UnreadableBody, match="a column 'Farbe' that is none of ours; rename it, map it, or let other"):
        CsvAdapter(config).parse_orders(body)
    with pytest.raises(UnreadableBody, match="line 2, column Artikel cannot be used"):
        CsvAdapter(config.model_copy(update={"ignore_other_columns": True})).parse_orders(body)
    with pytest.raises(UnreadableBody, match="columns maps 'skuu', which is none of: external_id"):
        CsvAdapter(CsvConfig(columns={"skuu": "Artikel"}))


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ((), "the header has no column external_id (it has: none); add or map it"),
        (("external_id", "placed_at", "sku"), "the header has no column quantity"),
        ((*HEADER, "sku"), "the header has two columns sku; rename one"),
        (tuple("abcdefghij" * 51), "the header has 510 columns; send at most 500"),
    ],
)
def test_a_header_that_cannot_be_used(header: tuple[str, ...], says: str) -> None:
    with pytest.raises(UnreadableBody, match=re.escape(says)):
        ADAPTER.parse_orders(table(header=header))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_header_shows_the_delimiter(delimiter: str) -> None:
    (order,) = ADAPTER.parse_orders(table(("1", WHEN, "A;B,C", "1"), delimiter=delimiter))
    assert order.lines[0].sku == "A;B,C"


def test_a_spreadsheet_may_say_its_delimiter() -> None:
    body = b"sep=;\r\n" + table(("1", WHEN, "A", "0"), delimiter=";")
    with pytest.raises(UnreadableBody, match="line 3, column quantity is 0"):
        ADAPTER.parse_orders(body)
    with pytest.raises(UnreadableBody, match="the table says sep='#'"):
        ADAPTER.parse_orders(b"sep=#\r\na#b")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030", "big5", "shift_jis"])
def test_encodings(encoding: str) -> None:
    text = table(("1", WHEN, "A", "1", "東京"), header=(*HEADER, "city")).decode()
    marked = encoding in {"utf-8-sig", "utf-16"}
    adapter = CsvAdapter(CsvConfig.model_validate({"currency": "JPY", "encoding": "utf-8" if marked else encoding}))
    (order,) = adapter.parse_orders(text.encode(encoding))
    assert order.deliveries[0].address is not None
    assert order.deliveries[0].address.city == "東京"


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(UnreadableBody, match="byte 0 of the table is not utf-8; set its encoding, or send UTF-8"):
        ADAPTER.parse_orders("東".encode("big5"))
    with pytest.raises(UnreadableBody, match="NUL characters; export it as CSV text, not as a workbook"):
        ADAPTER.parse_orders(b"PK\x03\x04\x00\x00")
    with pytest.raises(UnreadableBody, match=r"line 2 has 5 cells, the header 4; put texts that hold ',' in quotation"):
        ADAPTER.parse_orders(table(("1", WHEN, "A", "1", "x")))
    with pytest.raises(UnreadableBody, match=r"line 2 is not CSV .*; export the table again"):
        ADAPTER.parse_orders(b'external_id,placed_at,sku,quantity\n1,"x"y,A,1\n')
    with pytest.raises(BodyTooLarge):
        CsvAdapter(CsvConfig(max_bytes=10)).parse_orders(TWO.encode())
    assert ADAPTER.parse_orders(table()) == ()


@pytest.mark.parametrize(
    "text", ["=cmd|' /C calc'!A0", "@SUM(1)", "+cmd|x", "-2+3+cmd|'x'!A0", '=HYPERLINK("x")', "＝1"]
)
def test_formulas_are_refused(text: str) -> None:
    for column in ("note", "sku"):
        header = (*HEADER[:2], "quantity", "sku", "note")
        cells = {"external_id": "1", "placed_at": WHEN, "quantity": "1", "sku": "A", "note": "", column: text}
        with pytest.raises(UnreadableBody, match=f"line 2, column {column} begins like a formula; export values"):
            ADAPTER.parse_orders(table(tuple(cells[name] for name in header), header=header))


def test_what_spreadsheets_do_to_texts_is_undone() -> None:
    header = (*HEADER, "phone")
    (order,) = ADAPTER.parse_orders(table(('="007"', WHEN, '="0012"', "1", "'+886 2 1234"), header=header))
    assert (order.external_id, order.lines[0].sku) == ("007", "0012")
    assert order.deliveries[0].address is not None
    assert order.deliveries[0].address.phone == "+886 2 1234"


def test_an_order_without_a_currency_needs_one() -> None:
    with pytest.raises(UnreadableBody, match="line 2, column currency is missing"):
        CsvAdapter().parse_orders(table(("1", WHEN, "A", "1")))


def test_too_many_rows_of_one_order() -> None:
    with pytest.raises(UnreadableBody, match="line 2 has 10001 rows; split orders of more than 10000"):
        ADAPTER.parse_orders(table(*[("1", WHEN, "A", "1")] * 10_001))


@settings(max_examples=examples(60))
@given(orders())
def test_a_table_carries_plain_orders(order: Order) -> None:
    order = order.model_copy(update={"refunds": (), "presentment_currency": None})
    try:
        body = write_csv_orders([order])
    except InvalidInput:
        assume(False)
    (read,) = CsvAdapter().parse_orders(body)
    assert read.model_copy(update={"body_sha256": None}) == order


def test_the_writer_says_what_it_would_lose() -> None:
    order = plain_order()
    with pytest.raises(InvalidInput, match="a table cannot carry this order's deliveries; use the native format"):
        write_csv_orders([order.model_copy(update={"deliveries": order.deliveries * 2})])
    with pytest.raises(InvalidInput, match="'=1', which begins like a formula"):
        write_csv_orders([order.model_copy(update={"note": "=1"})])


def test_every_column_is_documented() -> None:
    text = (ROOT / "docs" / "channels-native.md").read_text(encoding="utf-8").partition("## The same as a table")[2]
    assert not {name for name in COLUMNS if f"`{name}`" not in text}
    assert set(NEEDED) <= set(COLUMNS)
