"""The verifier's prices: what a shipment from a node costs an order, and what each unit of an item adds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from omo_core.allocation.demand import OrderDemand
from omo_core.allocation.policy_parts import DistanceBand
from omo_core.allocation.verify_world import World, is_among, is_meant, rated
from omo_core.model.network import DeliveryMethod, Node


def parcel_price(world: World, demand: OrderDemand, node: Node, units: Mapping[str, int]) -> int:
    """What a carrier asks for the parcel that these units of items make; nothing where no price list is for it."""
    if not world.goes_by_parcel(demand, node) or world.goes_by_courier(demand, node):
        return 0
    metres = world.reckoned_metres(demand, node)
    weight_g = sum(world.weight_g.get(sku, world.unknown_g) * quantity for sku, quantity in units.items())
    for tariff in world.policy.parcel_tariffs:
        far = tariff.up_to_m is not None and metres > tariff.up_to_m
        if far or (tariff.kinds is not None and node.kind not in tariff.kinds):
            continue
        heaviest, price = tariff.bands[-1], 0
        while weight_g > heaviest.up_to_g:
            parcels = (weight_g - 1) // heaviest.up_to_g
            price, weight_g = price + parcels * heaviest.price_minor, weight_g - parcels * heaviest.up_to_g
        return price + min(band.price_minor for band in tariff.bands if band.up_to_g >= weight_g)
    return 0


def shipment_price(world: World, demand: OrderDemand, node: Node) -> Counter[str]:
    """Minor units by term, once for the shipment whatever is in it."""
    policy, terms = world.policy, Counter[str]()
    metres, collected = world.reckoned_metres(demand, node), world.is_collected(demand, node)
    courier = world.goes_by_courier(demand, node)
    if demand.method is DeliveryMethod.PICKUP:
        terms["pickup"] = policy.pickup_minor if collected else policy.ship_to_store_minor
    if demand.method is DeliveryMethod.ONE_HOUR:
        terms["one_hour"] = policy.one_hour_minor
    if not (collected or courier):
        terms["shipping"] = policy.of_kind(node.kind).shipment_minor
        terms["distance"] = rated(policy.shipment_per_1000_km_minor, metres)
    if world.goes_by_parcel(demand, node):
        terms["distance_band"] = _band(world, metres).shipment_minor
        if not courier:
            days = -(-metres // policy.metres_per_day) - policy.free_days
            terms["lateness"] = max(days, 0) * policy.lateness_per_day_minor
    if courier and policy.courier is not None:
        terms["courier"] = policy.courier.shipment_minor + rated(policy.courier.per_1000_km_minor, metres)
    if demand.service is not None and demand.service in policy.services:
        terms["service"] = policy.services[demand.service].shipment_minor
    terms["priority"] = policy.priority_step_minor * (node.priority - world.lowest_priority)
    terms.update(_risks(world, demand, node))
    for part in policy.surcharges:
        if is_meant(demand, part.orders) and is_among(node, part.nodes):
            terms[part.name] = part.shipment_minor
    return weighed(world, terms)


def unit_price(world: World, demand: OrderDemand, node: Node, sku: str, held: int) -> Counter[str]:
    """Minor units by term for one unit of the item, of which the node held so many before the wave."""
    policy, terms = world.policy, Counter[str]()
    metres = world.reckoned_metres(demand, node)
    terms["handling"] = policy.of_kind(node.kind).unit_minor
    if not (world.is_collected(demand, node) or world.goes_by_courier(demand, node)):
        gram_km = (world.weight_g.get(sku, world.unknown_g) * metres + 500) // 1000
        terms["distance"] = rated(policy.unit_per_1000_km_minor, metres) + rated(policy.kg_per_1000_km_minor, gram_km)
    if world.goes_by_parcel(demand, node):
        terms["distance_band"] = _band(world, metres).unit_minor
    last = policy.last_units
    if last is not None and is_among(node, last.nodes) and held <= last.at_or_below:
        terms["last_units"] = last.unit_minor or 0
    for part in policy.surcharges:
        if is_meant(demand, part.orders) and is_among(node, part.nodes):
            terms[part.name] = part.unit_minor
    return weighed(world, terms)


def weighed(world: World, terms: Counter[str]) -> Counter[str]:
    """Each term by its weight in thousandths, halves up."""
    weights = world.policy.weights
    return Counter({name: (amount * weights.get(name, 1_000) + 500) // 1_000 for name, amount in terms.items()})


def _risks(world: World, demand: OrderDemand, node: Node) -> Counter[str]:
    policy, state, terms = world.policy, world.state(node), Counter[str]()
    if policy.balance_load is not None:
        span = 1_000 - policy.balance_load.above_permille
        above = max(0, state.load_permille - policy.balance_load.above_permille)
        terms["load"] = (above * policy.balance_load.full_load_minor * 2 + span) // (span * 2)
    if policy.reliability is not None:
        known = [state.reject_permille, node.reject_permille, policy.reliability.unknown_permille]
        permille = next(one for one in known if one is not None)
        terms["reliability"] = (permille * policy.reliability.resourcing_minor + 500) // 1_000
    if policy.promise is not None:
        terms["promise"] = policy.promise.late_day_minor * world.days_late(demand, node)
    return terms


def _band(world: World, metres: int) -> DistanceBand:
    for band in world.policy.distance_bands:
        if band.up_to_m is None or metres <= band.up_to_m:
            return band
    return DistanceBand(up_to_m=None)
