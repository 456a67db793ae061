"""The tables of docs/reference.md say what the code says."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum

import pytest

import omo_core
from omo_core.allocation.policy import PolicyPrices, SourcingPolicy
from omo_core.channels.intents import StockMode
from omo_core.channels.registry import channel_names, class_of
from omo_core.cli import exits
from omo_core.inventory.audit_checks import CHECKS
from omo_core.inventory.holds import HOLDS_EXPIRED
from omo_core.inventory.pool import SOLD_SHORT
from omo_core.model import errors
from omo_core.model.fulfilment import FULFILMENT_TRANSITIONS, ORDER_TRANSITIONS, FulfilmentState, OrderState
from omo_core.model.refusals import REFUSAL_SENTENCES
from omo_core.model.stock import HOLD_TRANSITIONS
from omo_core.orders.holding import HOLD_TOO_LATE
from omo_core.orders.parcels import READY
from tools.house_rules import ROOT

REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")


def rows_under(heading: str, text: str = REFERENCE) -> list[list[str]]:
    """The cells of every table row between a heading and the next one of its level or above; no header rows."""
    level = len(heading) - len(heading.lstrip("#"))
    after = text.split(f"\n{heading}\n", 1)[1]
    section = re.split(rf"^#{{1,{level}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]
    rows: list[list[str]] = []
    lines = section.splitlines()
    for number, line in enumerate(lines):
        is_header = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("|") and not line.startswith("|---") and not is_header:
            rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def unquoted(cell: str) -> str:
    return cell.strip("`")


def quoted(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def test_every_refusal_is_listed_with_its_sentence() -> None:
    assert {unquoted(code): sentence for code, sentence in rows_under("## Refusals")} == dict(REFUSAL_SENTENCES)


def test_every_exception_is_listed_with_its_code() -> None:
    kinds = {kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.OmoError)}
    assert {(unquoted(name), unquoted(code)) for name, code, _ in rows_under("## Exceptions")} == {
        (kind.__name__, kind.code) for kind in kinds
    }
    assert {kind.__name__ for kind in kinds} <= set(omo_core.__all__)


@pytest.mark.parametrize(
    ("heading", "table"),
    [
        ("### Hold", HOLD_TRANSITIONS),
        ("### Order", ORDER_TRANSITIONS),
        ("### Fulfilment order", FULFILMENT_TRANSITIONS),
    ],
)
def test_transitions_are_those_of_the_model(heading: str, table: Mapping[StrEnum, frozenset[StrEnum]]) -> None:
    written = {unquoted(before): quoted(after) for before, after in rows_under(heading)}
    assert written == {before.value: {one.value for one in after} for before, after in table.items()}


def test_facts_are_named_after_the_states_and_the_pool() -> None:
    expected = {f"omo.order.{state.value}.v1": "order/ID" for state in OrderState}
    expected |= {f"omo.fulfilment.{state.value}.v1": "fulfilment/ID" for state in FulfilmentState}
    expected |= {HOLD_TOO_LATE: "fulfilment/ID", READY: "fulfilment/ID"}
    expected |= {SOLD_SHORT: "operation/ID", HOLDS_EXPIRED: "operation/ID"}
    assert {unquoted(kind): unquoted(subject) for kind, subject, _ in rows_under("## Facts in the outbox")} == expected


def test_every_check_of_the_audit_is_listed() -> None:
    written = [(int(number), unquoted(name)) for number, name, _ in rows_under("## Invariants that the audit checks")]
    assert written == [(check.invariant, check.name) for check in CHECKS]


def test_exit_codes_are_those_the_command_explains() -> None:
    written = "; ".join(f"{code} {meaning}" for code, meaning in rows_under("## Exit codes"))
    assert f"Exit codes: {written}." == exits.EXPLAINED


def test_a_row_that_differs_is_seen() -> None:
    text = "\n## A\n\n| code | what |\n|---|---|\n| `x` | one |\n\n### B\n\n| code |\n|---|\n| `y` |\n\n## C\n\n| z |\n"
    assert rows_under("## A", text) == [["`x`", "one"], ["`y`"]]
    assert rows_under("### B", text) == [["`y`"]]
    assert rows_under("## C", text) == [["z"]]


def test_every_part_of_a_policy_is_listed() -> None:
    parts = SourcingPolicy.model_fields.keys() - PolicyPrices.model_fields.keys()
    assert sorted(unquoted(part) for part, _ in rows_under("## The parts of a policy")) == sorted(parts)


def test_the_table_of_channels_names_every_adapter_and_how_it_tells_stock() -> None:
    rows = [line.split("|") for line in (ROOT / "docs" / "channels.md").read_text(encoding="utf-8").splitlines()]
    told = {row[2].strip().strip("`"): row[6] for row in rows if len(row) == 9 and row[2].strip().startswith("`")}
    assert sorted(told) == sorted(channel_names())
    for name, requests in told.items():
        if name == "native":
            continue  # it says "all"
        modes = class_of(name).capabilities.stock_modes
        assert (" stock absolute" in requests) == (StockMode.ABSOLUTE in modes), name
        assert ("relative" in requests) == (StockMode.RELATIVE in modes), name
