"""The verifier: a plan document checked in plain Python against the raw network, demands, stock and policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omo_core.allocation.demand import NodeState, OrderDemand
from omo_core.allocation.policy import SourcingPolicy
from omo_core.allocation.verify_costs import parcel_price, shipment_price, unit_price
from omo_core.allocation.verify_rules import forbidden, items_together, units_to_leave
from omo_core.allocation.verify_world import Work, World
from omo_core.model.network import Network


def verify_plan(  # noqa: PLR0917 - the raw inputs of a plan, one by one
    network: Network,
    demands: Sequence[OrderDemand],
    stock: Iterable[tuple[str, str, int]],
    policy: SourcingPolicy,
    document: Mapping[str, Any],
    capacity: Mapping[str, int] | None = None,
    *,
    states: Mapping[str, NodeState] | None = None,
    work: Mapping[str, Work] | None = None,
) -> list[str]:
    """Recompute eligibility, stock, capacity and cost by term of `plan.to_document()`; sentences, empty when sound.

    Shares no code with the solvers and needs neither numpy nor numba. It knows the rules and cost terms that a policy
    can ask for; a plan made with a host's own cannot be checked with it.
    """
    held = {(sku, node): available for sku, node, available in stock}
    check = _Check(World(network, policy, states or {}), held, work or {})
    for key, expected in (("currency", network.currency), ("policy_digest", policy.digest())):
        if document[key] != expected:
            check.found.append(f"the plan's {key} is {document[key]!r}, not {expected!r}")
    stated = [one["order"] for one in document["orders"]]
    if stated != [demand.order for demand in demands]:
        check.found.append("the plan's orders are not the orders asked for, in their order")
        return check.found
    for demand, one in zip(demands, document["orders"], strict=True):
        check.order(demand, one)
    check.stock()
    check.capacity(capacity or {})
    check.totals(document)
    return check.found


@dataclass
class _Check:
    world: World
    held: Mapping[tuple[str, str], int]
    """Units of each (sku, node) before the wave."""
    work: Mapping[str, Work]
    """What orders take from the capacity of nodes that do not simply count orders."""
    found: list[str] = field(default_factory=list)
    taken: Counter[tuple[str, str]] = field(default_factory=Counter)
    work_at: Counter[str] = field(default_factory=Counter)
    terms: Counter[str] = field(default_factory=Counter)

    def order(self, demand: OrderDemand, one: Mapping[str, Any]) -> None:
        """Check one order: units, rules, limit of nodes, cost by term and its shares."""
        name, nodes, policy = demand.order, self.world.nodes, self.world.policy
        wanted = {(line.line, line.sku): line.quantity for line in demand.lines}
        units: Counter[tuple[str, str]] = Counter()
        for part in one["assignments"]:
            if part["quantity"] <= 0:
                self.found.append(f"order {name} assigns {part['quantity']} units of line {part['line']}")
            units[part["line"], part["sku"]] += part["quantity"]
            self.taken[part["sku"], part["node"]] += part["quantity"]
        for part in one["shortfalls"]:
            if part["missing"] <= 0:
                self.found.append(f"order {name} lacks {part['missing']} units of line {part['line']}")
            units[part["line"], part["sku"]] += part["missing"]
        if units != Counter(wanted):
            self.found.append(f"order {name}: served and missing units do not add up to what its lines want")
        used = list(dict.fromkeys(part["node"] for part in one["assignments"]))
        known = [node for node in used if node in nodes]
        self.found += [
            f"order {name} uses {node}, which the network does not have" for node in used if node not in known
        ]
        self._promises(demand, one)
        for node in known:
            rule = forbidden(self.world, demand, nodes[node])
            if rule:
                self.found.append(f"order {name} uses {node}, which {rule}")
        if policy.max_nodes is not None and len(used) > policy.max_nodes:
            self.found.append(f"order {name} uses {len(used)} nodes; {policy.max_nodes} are allowed")
        self._cost(demand, one, known)

    def stock(self) -> None:
        """No cell gives more than it has, less what rules keep there."""
        for (sku, name), units in sorted(self.taken.items()):
            node, held = self.world.nodes.get(name), self.held.get((sku, name), 0)
            stays = 0 if node is None else units_to_leave(self.world, sku, node, held)
            if units > held:
                self.found.append(f"{sku} at {name} is oversold by {units - held} units")
            elif units > held - stays:
                self.found.append(f"{sku} at {name}: {units} of {held} units are taken, but {stays} have to stay")

    def capacity(self, capacity: Mapping[str, int]) -> None:
        """No node takes more work than it can."""
        for node, pieces in sorted(self.work_at.items()):
            if pieces > capacity.get(node, pieces):
                counted = "pieces of work" if node in self.work else "orders"
                self.found.append(f"{node} serves {pieces} {counted} but can take {capacity[node]}")

    def totals(self, document: Mapping[str, Any]) -> None:
        """The terms of the orders add up to those of the plan, and these to its cost; the bound is below."""
        stated = {name: amount for name, amount in document["cost_by_term"].items() if amount}
        if stated != {name: amount for name, amount in self.terms.items() if amount}:
            self.found.append(f"the plan's cost by term is {stated}, recomputed {dict(self.terms)}")
        if document["cost_minor"] != sum(self.terms.values()):
            self.found.append(f"the plan's cost is {document['cost_minor']}, recomputed {sum(self.terms.values())}")
        bound = document["lower_bound_minor"]
        if bound is not None and bound > document["cost_minor"]:
            self.found.append(f"the lower bound {bound} is above the cost {document['cost_minor']}")

    def _promises(self, demand: OrderDemand, one: Mapping[str, Any]) -> None:
        """All or nothing of an order, and of lines that one node must serve together."""
        short = {part["sku"] for part in one["shortfalls"]}
        if demand.ship_complete and one["assignments"] and short:
            self.found.append(f"order {demand.order} is served in part, but is to be served in full or not at all")
        for group in items_together(demand):
            nodes = {part["node"] for part in one["assignments"] if part["sku"] in group}
            if len(nodes) > 1 or (nodes and group & short):
                self.found.append(f"order {demand.order} has lines that must come from one node together and do not")

    def _cost(self, demand: OrderDemand, one: Mapping[str, Any], used: Sequence[str]) -> None:
        world, terms, assigned = self.world, Counter[str](), 0
        for name in used:
            node = world.nodes[name]
            terms.update(shipment_price(world, demand, node))
            sent = Counter[str]()
            for part in one["assignments"]:
                if part["node"] == name:
                    sent[part["sku"]] += part["quantity"]
                    held = self.held.get((part["sku"], name), 0)
                    unit = unit_price(world, demand, node, part["sku"], held)
                    terms.update({term: amount * part["quantity"] for term, amount in unit.items()})
                    assigned += part["cost_minor"]
            terms["parcel"] += parcel_price(world, demand, node, sent)
            piece = self.work.get(name)
            self.work_at[name] += (
                1 if piece is None else piece.per_order + piece.per_line * len(sent) + piece.per_unit * sent.total()
            )
        terms["split"] = max(len(used) - 1, 0) * world.policy.per_extra_node_minor
        terms["unserved"] = world.policy.unserved_minor * sum(part["missing"] for part in one["shortfalls"])
        self.terms.update(terms)
        stated = {name: amount for name, amount in one["cost_by_term"].items() if amount}
        recomputed = {name: amount for name, amount in terms.items() if amount}
        if stated != recomputed:
            self.found.append(f"order {demand.order}: the cost by term is {stated}, recomputed {recomputed}")
        if assigned + terms["split"] + terms["unserved"] != one["cost_minor"]:
            self.found.append(f"order {demand.order}: its assignments' costs do not add up to {one['cost_minor']}")
