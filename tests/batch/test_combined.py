"""A run's traffic goes through the hub's combiner, many commands a transaction."""

from __future__ import annotations

import pytest

from omo_core.inventory.combiner import Combiner, CombinerStats
from tests.batch.shop import Shop, busy_day


def test_every_sale_order_and_answer_of_a_run_is_combined(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[CombinerStats] = []
    really = Combiner.close

    def closing(combiner: Combiner) -> None:
        really(combiner)
        seen.append(combiner.stats)

    monkeypatch.setattr(Combiner, "close", closing)
    shop.write_orders(busy_day(30))
    log = shop.run().log
    answers = sum(count for name, count in log.counts.items() if name.startswith("answers_"))
    (stats,) = seen
    assert stats.commands >= log.counts["counter_sales"] + log.counts["orders"] + answers > 0
    assert stats.batches < stats.commands
