"""A repair is one recorded operation: the row keeps its invariants again, and what cannot be undone is acknowledged."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from omo_core.inventory import audit
from omo_core.inventory.repair import AcknowledgeFindings, RepairAnswer, RepairRow, acknowledge, repair
from omo_core.model.errors import DuplicateKeyMismatch, InvariantViolation
from omo_core.model.stock import HoldState
from tests.inventory.conftest import POOL, Shop, open_shop, place, receive, sell
from tests.inventory.test_audit import BOTH_ENGINES, corrupt


@pytest.fixture
def broken_shop(shop_url: str) -> Iterator[Shop]:
    """MUG at TPE: 5 on hand, of which two orders hold 2 and 1; whatever a test breaks there, it must repair."""
    with open_shop(shop_url) as shop:
        shop.apply(
            receive("r", ("MUG", "TPE", 5)),
            place("h1", ("MUG", "TPE", 2)),
            place("h2", ("MUG", "TPE", 1)),
        )
        assert shop.audit().clean
        yield shop
        report = shop.audit()
        assert report.findings == ()
        assert report.clean


def mend(shop: Shop, on_hand: int, key: str = "fix") -> RepairAnswer:
    command = RepairRow(key=key, sku="MUG", node="TPE", on_hand=on_hand, by="op-7", reason="shelf counted")
    return shop.database.run(POOL, lambda tx: repair(tx, command))


def halt(shop: Shop) -> None:
    assert shop.database.run(POOL, lambda tx: audit(tx, halt=True)).halted == (("MUG", "TPE", "sellable"),)
    (refused,) = shop.apply(place("no", ("MUG", "TPE", 1)))
    assert [refusal.code for refusal in refused.refusals] == ["row_halted"]


NO_TRACE = {
    "balance changed": ["UPDATE omo_stock SET on_hand = 9 WHERE sku = 'MUG'"],
    "reserved above on hand": ["UPDATE omo_stock SET on_hand = 1 WHERE sku = 'MUG'"],
    "negative counter": ["UPDATE omo_stock SET shortage = -4, safety = -1 WHERE sku = 'MUG'"],
    "reserved forgot a hold": ["UPDATE omo_stock SET reserved = 1 WHERE sku = 'MUG'"],
    "version skipped": ["UPDATE omo_stock SET version = 9 WHERE sku = 'MUG'"],
    "version skipped by one": ["UPDATE omo_stock SET version = 4 WHERE sku = 'MUG'"],
    "row deleted": ["DELETE FROM omo_stock WHERE sku = 'MUG'"],
}
"""What breaks a row and leaves the ledger whole: a repair makes it clean without acknowledging anything."""

IN_LEDGER = {
    "after-values rewritten": ["UPDATE omo_posting SET reserved_after = 1 WHERE row_version = 2"],
    "goods rewritten": ["UPDATE omo_posting SET quantity = 4 WHERE row_version = 1"],
    "posting deleted": ["DELETE FROM omo_posting WHERE row_version = 2"],
    "ledger renumbered": ["UPDATE omo_posting SET row_version = 0 WHERE row_version = 1"],
    "goods out of nothing": ["UPDATE omo_posting SET quantity = -6 WHERE place = 'supplier'"],
}
"""What is broken for good: a repair acknowledges it."""


@BOTH_ENGINES
@pytest.mark.parametrize("name", [*NO_TRACE, *IN_LEDGER])
def test_a_repaired_row_is_sound_and_sells_again(broken_shop: Shop, name: str) -> None:
    corrupt(broken_shop, *(NO_TRACE | IN_LEDGER)[name])
    before = broken_shop.audit()
    bound = {finding.sentence for finding in before.findings if finding.cell is not None}
    if name != "row deleted":
        halt(broken_shop)
    answer = mend(broken_shop, on_hand=4)
    assert answer.applied
    assert set(answer.found) == bound
    assert bool(answer.acknowledged) == (name in IN_LEDGER)
    after = broken_shop.audit()
    assert set(answer.acknowledged) == {finding.sentence for finding in after.acknowledged} - _of_no_row(after)
    if name == "posting deleted":
        _acknowledge_the_empty_operation(broken_shop)
    assert broken_shop.audit().clean
    assert broken_shop.counters() == (4, 3, 0, 0)
    (answered,) = broken_shop.apply(place("h3", ("MUG", "TPE", 1)))
    assert answered.applied


def _of_no_row(report: object) -> set[str]:
    return {finding.sentence for finding in report.acknowledged if finding.cell is None}  # type: ignore[attr-defined]


def _acknowledge_the_empty_operation(shop: Shop) -> None:
    (finding,) = shop.audit().findings
    assert finding.check == "operations_have_their_rows"
    known = AcknowledgeFindings(key="a", sentences=(finding.sentence,), by="op-7", reason="restored from paper")
    strange = AcknowledgeFindings(key="b", sentences=("All is well.",), by="op-7", reason="a mistake")
    refused = shop.database.run(POOL, lambda tx: acknowledge(tx, strange))
    assert [refusal.code for refusal in refused.refusals] == ["unknown_finding"]
    assert not shop.audit().clean
    assert shop.database.run(POOL, lambda tx: acknowledge(tx, known)).applied
    assert shop.database.run(POOL, lambda tx: acknowledge(tx, known)).acknowledged == (finding.sentence,)


@BOTH_ENGINES
def test_goods_that_are_not_there_displace_the_newest_promise(broken_shop: Shop) -> None:
    corrupt(broken_shop, "UPDATE omo_stock SET on_hand = 9 WHERE sku = 'MUG'")
    answer = mend(broken_shop, on_hand=2)
    assert [(one.owner, one.quantity) for one in answer.displaced] == [("h2", 1)]
    assert broken_shop.hold("h2").state is HoldState.RELEASED
    assert broken_shop.hold("h1").pending == 2
    assert broken_shop.counters() == (2, 2, 0, 0)


@BOTH_ENGINES
def test_a_repair_is_once_and_its_answer_tells_what_was_wrong(broken_shop: Shop) -> None:
    corrupt(broken_shop, "UPDATE omo_stock SET on_hand = 9 WHERE sku = 'MUG'")
    first = mend(broken_shop, on_hand=5)
    assert mend(broken_shop, on_hand=5) == first
    with pytest.raises(DuplicateKeyMismatch):
        mend(broken_shop, on_hand=6)
    with broken_shop.database.connection(read_only=True) as connection:
        stored = connection.exec_driver_sql("SELECT answer FROM omo_operation WHERE kind = 'repair'").scalars().all()
    assert len(stored) == 1
    answer = json.loads(stored[0])
    assert (answer["by"], answer["reason"]) == ("op-7", "shelf counted")
    assert "has 9 on hand" in answer["found"][0]


def test_a_sound_row_is_not_repaired(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))
    lines = memory_shop.count("posting")
    answer = mend(memory_shop, on_hand=7)
    assert [refusal.code for refusal in answer.refusals] == ["row_is_sound"]
    assert memory_shop.counters() == (5, 0, 0, 0)
    assert memory_shop.count("posting") == lines


def test_a_row_that_was_mended_by_hand_is_let_go(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)))
    memory_shop.execute("UPDATE omo_stock SET halted = 1")
    assert mend(memory_shop, on_hand=5).applied
    assert not memory_shop.level().halted


def test_other_breaks_at_an_acknowledged_place_are_new(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)), place("h", ("MUG", "TPE", 2)))
    corrupt(memory_shop, "UPDATE omo_posting SET reserved_after = 1 WHERE row_version = 2")
    mend(memory_shop, on_hand=5)
    report = memory_shop.audit()
    assert report.clean
    assert {finding.check for finding in report.acknowledged} == {"after_values_chain"}
    corrupt(memory_shop, "UPDATE omo_posting SET reserved_after = 0 WHERE row_version = 2")
    checks = {finding.check for finding in memory_shop.audit().findings}
    assert checks == {"after_values_chain", "acknowledged_findings_stand"}


def test_history_that_was_put_right_behind_an_acknowledgement_is_told(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)), place("h", ("MUG", "TPE", 2)))
    corrupt(memory_shop, "UPDATE omo_posting SET quantity = -4 WHERE place = 'supplier'")
    mend(memory_shop, on_hand=5)
    assert memory_shop.audit().clean
    memory_shop.execute("UPDATE omo_posting SET quantity = -5 WHERE place = 'supplier'")
    (finding,) = memory_shop.audit().findings
    assert (finding.check, finding.invariant) == ("acknowledged_findings_stand", 21)
    assert "no longer shows" in finding.sentence


def test_acknowledged_rows_are_not_halted_again(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)), place("h", ("MUG", "TPE", 2)))
    corrupt(memory_shop, "UPDATE omo_posting SET reserved_after = 1 WHERE row_version = 2")
    mend(memory_shop, on_hand=5)
    report = memory_shop.database.run(POOL, lambda tx: audit(tx, halt=True))
    assert report.halted == ()
    assert not memory_shop.level().halted


def test_what_a_repair_does_not_mend_stays_as_it_was(memory_shop: Shop) -> None:
    """A hold with negative pending units: no count of goods can make the row's promises possible."""
    memory_shop.apply(receive("r", ("MUG", "TPE", 5)), place("h", ("MUG", "TPE", 2)))
    corrupt(memory_shop, "UPDATE omo_hold SET pending = -1", "UPDATE omo_stock SET on_hand = 9")
    with pytest.raises(InvariantViolation, match="does not mend it"):
        mend(memory_shop, on_hand=5)
    assert memory_shop.counters() == (9, 2, 0, 0)
    assert memory_shop.count("acknowledgement") == 0


def test_a_sale_short_of_goods_is_settled_by_the_count_of_a_repair(memory_shop: Shop) -> None:
    memory_shop.apply(receive("r", ("MUG", "TPE", 1)), sell("s", ("MUG", "TPE", 3)))
    memory_shop.execute("UPDATE omo_stock SET on_hand = 6")
    mend(memory_shop, on_hand=4)
    assert memory_shop.counters() == (4, 0, 0, 0)
    assert memory_shop.audit().clean
