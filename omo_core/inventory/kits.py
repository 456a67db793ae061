"""Kits: items put together from others, promised as long as every component is there at one node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from omo_core.inventory.availability import Pair, available_of_skus, channel_limits, withheld_nodes
from omo_core.model.errors import InvalidInput
from omo_core.model.stock import HoldRequest
from omo_core.storage.catalogue import components_of
from omo_core.storage.transaction import Transaction


def available_kits(tx: Transaction, kits: Sequence[str], *, channel: str | None = None) -> dict[Pair, int]:
    """How many of each kit each node could put together now, as (kit, node) → units; pairs with none are left out.

    It is the scarcest component's units by what one kit needs of it, rounded down. Two kits that share a component
    share its units: each number holds while the other kit is not sold.
    """
    recipes = components_of(tx, kits)
    withheld = withheld_nodes(tx, channel)
    limits = channel_limits(tx, channel)
    free: dict[str, dict[str, int]] = {}
    for sku, node, units in available_of_skus(tx, {part for recipe in recipes.values() for part in recipe}):
        if node not in withheld:
            free.setdefault(sku, {})[node] = min(units, limits.get(sku, units))
    return {
        (kit, node): units
        for kit, recipe in sorted(recipes.items())
        for node, units in sorted(_put_together(recipe, free).items())
        if units
    }


def holds_of_kit(tx: Transaction, request: HoldRequest) -> tuple[HoldRequest, ...]:
    """The holds on components that promise so many of a kit at one node; place them in one command, all or none.

    Their lines are `<line>/<component>`. Raises `InvalidInput` for an item that is not a kit.
    """
    recipe = components_of(tx, [request.sku]).get(request.sku)
    if not recipe:
        raise InvalidInput(f"{request.sku!r} is not a kit of this pool; hold it as an item, or load its components")
    return tuple(
        HoldRequest(
            owner=request.owner,
            line=f"{request.line}/{part}",
            sku=part,
            node=request.node,
            quantity=request.quantity * each,
        )
        for part, each in sorted(recipe.items())
    )


def _put_together(recipe: Mapping[str, int], free: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """Kits by node: only nodes that hold every component can put one together."""
    parts = [free.get(part, {}) for part in recipe]
    nodes = set(parts[0]).intersection(*parts[1:])
    return {
        node: min(units[node] // each for units, each in zip(parts, recipe.values(), strict=True)) for node in nodes
    }
