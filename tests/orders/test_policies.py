"""The policy of a decision can be found again, word for word, however often it was changed since."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from omo_core.allocation import SourcingPolicy
from omo_core.hub import OrderHub
from omo_core.model.errors import InvalidInput
from omo_core.orders.policies import PREFIX, policy_of
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction
from tests.orders.conftest import NEAR, NETWORK, order, stock


def digests(hub: OrderHub) -> list[str]:
    """Of all decisions, in the order in which their orders came."""
    decision = tables.decision.c
    query = select(decision.policy_sha256).order_by(decision.order_id)
    return hub.run(lambda tx: list(tx.connection.execute(query).scalars()))


def kept(tx: Transaction) -> int:
    name = tables.setting.c.name
    return int(tx.connection.execute(select(func.count()).where(name.startswith(PREFIX))).scalar_one())


def test_a_changed_policy_decides_the_next_order_and_both_are_kept(hub: OrderHub) -> None:
    stock(hub, {("A", NEAR): 3})
    hub.orders.place(order("1", {"A": 1}))
    hub.orders.place(order("2", {"A": 1}))
    hub.network.load(NETWORK.model_copy(update={"policy": {"max_nodes": 2}}))
    hub.orders.place(order("3", {"A": 1}))
    first, second, third = digests(hub)
    assert first == second == SourcingPolicy().digest()
    assert third == SourcingPolicy(max_nodes=2).digest()
    assert hub.run(lambda tx: policy_of(tx, first)) == SourcingPolicy()
    assert hub.run(lambda tx: policy_of(tx, third)) == SourcingPolicy(max_nodes=2)
    assert hub.run(kept) == 2, "each once"
    assert hub.run(lambda tx: policy_of(tx, "0" * 64)) is None


def test_a_policy_that_contradicts_itself_is_refused_when_it_is_loaded(hub: OrderHub) -> None:
    with pytest.raises(InvalidInput, match="weights"):
        hub.network.load(NETWORK.model_copy(update={"policy": {"weights": {"shiping": 1}}}))
    assert hub.network.current().policy is None
