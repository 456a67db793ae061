"""The verifier's rules: why a node may not serve an order, and how many units of an item must stay at a node."""

from __future__ import annotations

from collections.abc import Iterator

from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.verify_world import World, is_among, is_in, is_meant
from omo_core.model.network import DeliveryMethod, Node


def forbidden(world: World, demand: OrderDemand, node: Node) -> str | None:
    """Why the node may not serve the order, continuing "which ..."; None where it may."""
    return next(_reasons(world, demand, node), None)


def _reasons(world: World, demand: OrderDemand, node: Node) -> Iterator[str]:
    if node.node in demand.excluded_nodes:
        yield "was excluded for this order"
    if demand.method is DeliveryMethod.ONE_HOUR:
        yield from _one_hour(world, demand, node)
    elif demand.method is DeliveryMethod.PICKUP:
        yield from _pickup(world, demand, node)
    elif demand.method not in node.methods:
        yield "does not offer this method"
    yield from _parties(world, demand, node)
    yield from _distance(world, demand, node)
    if world.policy.promise is not None and world.policy.promise.never_late and world.days_late(demand, node):
        yield "would be later than promised"


def _one_hour(world: World, demand: OrderDemand, node: Node) -> Iterator[str]:
    metres = world.metres(demand, node)
    if demand.method not in node.methods:
        yield "does not offer this method"
    if metres is None:
        yield "is out of the one-hour service: its place or the buyer's is unknown"
    elif metres > world.policy.one_hour_radius_m:
        yield "is too far for one hour"
    if not node.is_open(demand.at):
        yield "is closed at that time"
    if not world.state(node).courier_free:
        yield "has no courier free"
    if _hours_are_asked(world) and not node.opening_hours:
        yield "has no known opening hours"


def _pickup(world: World, demand: OrderDemand, node: Node) -> Iterator[str]:
    target = world.nodes.get(demand.pickup_node or "")
    if target is None or DeliveryMethod.PICKUP not in target.methods:
        yield "cannot help: the pickup node is not known or does not offer pickup"
        return
    if world.policy.pickup_while_open:
        if not target.is_open(demand.at):
            yield "cannot help: the pickup node is closed at that time"
        if node is target and _hours_are_asked(world) and not node.opening_hours:
            yield "has no known opening hours"
    if node is not target:
        if not world.policy.ship_to_store:
            yield "may not send to the pickup node"
        if DeliveryMethod.SHIP not in node.methods:
            yield "does not offer this method"


def _hours_are_asked(world: World) -> bool:
    return world.policy.missing_data is not None and world.policy.missing_data.hours != "open"


def _parties(world: World, demand: OrderDemand, node: Node) -> Iterator[str]:
    policy = world.policy
    if policy.owner_consent and not node.serves(demand.channel):
        yield "has an owner who does not let this channel sell his stock"
    for limit in policy.limits:
        if is_meant(demand, limit.orders) and is_among(node, limit.nodes) == (limit.effect == "never"):
            yield f"may not serve this order: the policy's limit {limit.name!r}"
    service = policy.services.get(demand.service) if demand.service is not None else None
    if service is not None:
        metres = world.metres(demand, node)
        too_far = service.within_m is not None and (metres is None or metres > service.within_m)
        if too_far or not is_among(node, service.nodes):
            yield "does not give the service asked for"


def _distance(world: World, demand: OrderDemand, node: Node) -> Iterator[str]:
    if world.is_collected(demand, node):
        return
    policy, metres = world.policy, world.metres(demand, node)
    if node.ships_to is not None and not is_in(demand.country, demand.region, node.ships_to):
        yield "does not send to that region"
    for limit in policy.distance_limits:
        bound = is_meant(demand, limit.orders) and is_among(node, limit.nodes)
        if bound and (metres is None or metres > limit.within_m):
            yield f"is too far, or its distance is unknown: the policy's limit {limit.name!r}"
    unpriced = policy.missing_data is not None and policy.missing_data.place != "price"
    if unpriced and metres is None and world.goes_by_parcel(demand, node):
        yield "is left out: its place or the buyer's is unknown"


def items_together(demand: OrderDemand) -> list[set[str]]:
    """Items of the order that one node must serve together, all their units or none; an item in two groups joins them."""
    groups: list[tuple[set[str], set[str]]] = []
    for line in demand.lines:
        if line.together is None:
            continue
        marks, items = {line.together}, {line.sku}
        apart = []
        for group in groups:
            if group[0] & marks or group[1] & items:
                marks, items = marks | group[0], items | group[1]
            else:
                apart.append(group)
        groups = [*apart, (marks, items)]
    return [items for _, items in groups]


def units_to_leave(world: World, sku: str, node: Node, held: int) -> int:
    """How many of the units held of an item must stay at the node."""
    return max([0, *(min(units, held) for units in _kept_back(world, sku, node, held))])


def _kept_back(world: World, sku: str, node: Node, held: int) -> Iterator[int]:
    policy = world.policy
    if not world.needs.get(sku, set()) <= set(node.abilities or ()):
        yield held
    for limit in policy.item_limits:
        if sku in limit.skus and is_among(node, limit.nodes) == (limit.effect == "never"):
            yield held
    for part in policy.keep_back:
        if is_among(node, part.nodes):
            yield part.units
    last = policy.last_units
    if last is not None and last.unit_minor is None and is_among(node, last.nodes) and held <= last.at_or_below:
        yield held
    if policy.missing_data is not None and policy.missing_data.weight != "price" and sku not in world.weight_g:
        yield held
