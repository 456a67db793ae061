"""Finds the bundles among the lines of a WooCommerce order, and lets each tell the money of its parts.

Source: https://woocommerce.com/document/bundles-rest-api-reference for `bundled_by`; the metas are those of the Product
Bundles and Composite Products extensions.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from omo_core.channels.cursor import Cursor
from omo_core.channels.fields import unit_price
from omo_core.model.orders import LineAmounts, OrderLine

_LINKS: Final = (("_bundled_by", "_bundle_cart_key"), ("_composite_parent", "_composite_cart_key"))
"""(meta of a part, meta of its bundle with the same value), where the extension gives no `bundled_by`."""


def meta_of(one: Cursor) -> dict[str, object]:
    """Meta values by key; plugins write them, as texts, numbers, lists or objects.

    Where a plugin took one out of the middle, PHP writes the list as an object of numbered entries.
    """
    found = one.fields.get("meta_data")
    entries = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
    return {str(meta.get("key"))[:100]: meta.get("value") for meta in entries if isinstance(meta, dict)}


def bundle_links(sources: list[Cursor], ids: list[str]) -> tuple[dict[str, str], set[str]]:
    """The outermost bundle of each line that is part of one, and every line that holds others."""
    metas = [meta_of(one) if one.fields.get("meta_data") else {} for one in sources]
    linked = any(part in meta for meta in metas if meta for part, _ in _LINKS)
    if not linked and not any(one.fields.get("bundled_by") for one in sources):
        return {}, set()
    owners = {
        (own, str(meta[own])): line for meta, line in zip(metas, ids, strict=True) for _, own in _LINKS if meta.get(own)
    }
    direct: dict[str, str] = {}
    for one, meta, line in zip(sources, metas, ids, strict=True):
        told = one.fields.get("bundled_by")
        named = str(told) if isinstance(told, str | int) and not isinstance(told, bool) else ""
        found = [owners.get((own, str(meta[part]))) for part, own in _LINKS if meta.get(part)]
        parent = named if named in ids else next((owner for owner in found if owner), None)
        if parent is not None and parent != line:
            direct[line] = parent
    roots: dict[str, str] = {}
    for line, parent in direct.items():
        root, seen = parent, {line}
        while root in direct and root not in seen:
            seen.add(root)
            root = direct[root]
        if root in direct:
            sources[ids.index(line)].odd("bundled_by", "goes round in a circle, so the line stands for itself")
        else:
            roots[line] = root
    return roots, {direct[line] for line in roots}


def bundled(lines: list[OrderLine], parents: Mapping[str, str], containers: set[str]) -> Iterable[OrderLine]:
    """Parts point to their outermost bundle, which tells the money of all of them; no bundle carries goods."""
    parts: defaultdict[str, list[LineAmounts]] = defaultdict(list)
    for line in lines:
        if line.line in parents and line.amounts is not None:
            parts[parents[line.line]].append(line.amounts)
    for line in lines:
        if line.line in parents:
            yield line.model_copy(update={"parent": parents[line.line], "bundle": line.line in containers})
        elif line.line in parts and line.amounts is not None:
            every = [line.amounts, *parts[line.line]]
            gross_minor = sum(one.gross_minor for one in every)
            whole = LineAmounts(
                list_unit_price_minor=unit_price(gross_minor, line.quantity),
                gross_minor=gross_minor,
                discount_minor=sum(one.discount_minor for one in every),
                tax_minor=sum(one.tax_minor for one in every),
            )
            yield line.model_copy(update={"bundle": True, "amounts": whole})
        else:
            yield line
