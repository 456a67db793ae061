"""The pool's network as kept in the database: nodes, items and the settings they come with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Table, select

from omo_core.model.errors import InvalidInput
from omo_core.model.items import Item
from omo_core.model.network import Network, Node
from omo_core.storage import tables
from omo_core.storage.transaction import Transaction

NETWORK = "network"
"""Name of the setting that holds currency and policy; its version grows with every change of the network."""


@dataclass(frozen=True, slots=True)
class NetworkSaved:
    """What loading a network document changed."""

    version: int
    nodes_added: int
    nodes_changed: int
    items_added: int
    items_changed: int


def save_network(tx: Transaction, network: Network) -> NetworkSaved:
    """Add and change nodes and items; those the document does not name stay as they are.

    Loading the same document twice changes nothing. A pool keeps the currency it began with: `InvalidInput`.
    """
    known = network_version(tx)
    setting = json.dumps({"currency": network.currency, "policy": network.policy}, sort_keys=True)
    stored = tx.select(tables.setting, ("name", "document"), ("name",), [(NETWORK,)], lock=True)
    if stored and json.loads(stored[0].document)["currency"] != network.currency:
        raise InvalidInput(
            f"this pool counts its costs in {json.loads(stored[0].document)['currency']}; "
            f"load a network in that currency or open another pool"
        )
    node_rows = [
        {
            "node": node.node,
            "kind": node.kind.value,
            "owner": node.owner,
            "document": node.model_dump_json(exclude_none=True),
        }
        for node in network.nodes
    ]
    item_rows = [{"sku": item.sku, "document": item.model_dump_json(exclude_none=True)} for item in network.items]
    nodes_added, nodes_changed = _upsert(tx, tables.node, "node", node_rows)
    items_added, items_changed = _upsert(tx, tables.item, "sku", item_rows)
    changed = nodes_added + nodes_changed + items_added + items_changed
    version = known
    if not stored:
        version = 1
        tx.insert(tables.setting, [_stamped(tx, {"name": NETWORK, "document": setting}, version)])
    elif changed or stored[0].document != setting:
        version = known + 1
        row = _stamped(tx, {"name": NETWORK, "document": setting}, version)
        tx.update(tables.setting, keys=("name",), changes=("document", "version", "updated_at_us"), rows=[row])
    return NetworkSaved(version, nodes_added, nodes_changed, items_added, items_changed)


def network_version(tx: Transaction) -> int:
    """Version of the pool's network; 0 where none was loaded yet."""
    rows = tx.select(tables.setting, ("name", "version"), ("name",), [(NETWORK,)])
    return rows[0].version if rows else 0


def read_network(tx: Transaction, *, items: bool = False) -> Network:
    """The pool's network, with its items only where asked for; `InvalidInput` where none was loaded."""
    stored = tx.select(tables.setting, ("name", "document"), ("name",), [(NETWORK,)])
    if not stored:
        raise InvalidInput(f"pool {tx.pool!r} has no network yet; load one with hub.network.load(...)")
    setting = json.loads(stored[0].document)
    nodes = [Node.model_validate_json(text) for text in _documents(tx, tables.node, "node")]
    kept = [Item.model_validate_json(text) for text in _documents(tx, tables.item, "sku")] if items else []
    return Network(currency=setting["currency"], nodes=tuple(nodes), items=tuple(kept), policy=setting["policy"])


def owned_nodes(tx: Transaction) -> list[Node]:
    """The nodes whose stock is not the brand's own, in order of their ids."""
    node = tables.node.c
    query = select(node.document).where(node.pool_id == tx.pool, node.owner.is_not(None)).order_by(node.node)
    return [Node.model_validate_json(row.document) for row in tx.connection.execute(query)]


def components_of(tx: Transaction, skus: Sequence[str]) -> dict[str, dict[str, int]]:
    """What each kit among the SKUs is put together from; other items are left out."""
    found = tx.select(tables.item, ("sku", "document"), ("sku",), [(sku,) for sku in set(skus)])
    kits = {row.sku: json.loads(row.document).get("components") for row in found if '"components":{"' in row.document}
    return {sku: parts for sku, parts in kits.items() if parts}


def all_components(tx: Transaction) -> dict[str, dict[str, int]]:
    """What every kit of the pool is put together from; walks all items, so keep what it gives."""
    item = tables.item.c
    query = select(item.sku, item.document).where(item.pool_id == tx.pool, item.document.like('%"components":{"%'))
    return {row.sku: json.loads(row.document)["components"] for row in tx.connection.execute(query.order_by(item.sku))}


def kit_skus(tx: Transaction, skus: Sequence[str] | None = None) -> list[str]:
    """The kits of the pool, or those among the SKUs, in order."""
    if skus is not None:
        rows = tx.select(tables.item, ("sku", "document"), ("sku",), [(sku,) for sku in skus])
        return [sku for sku, document in rows if '"components":{"' in document]
    item = tables.item.c
    query = select(item.sku).where(item.pool_id == tx.pool, item.document.like('%"components":{"%')).order_by(item.sku)
    return [row.sku for row in tx.connection.execute(query)]


def known_skus(tx: Transaction, skus: Sequence[str]) -> set[str]:
    """Those of the given SKUs that the pool knows."""
    return {row.sku for row in tx.select(tables.item, ("sku",), ("sku",), [(sku,) for sku in sorted(set(skus))])}


def known_nodes(tx: Transaction, nodes: Sequence[str]) -> set[str]:
    """Those of the given nodes that the pool knows."""
    return {row.node for row in tx.select(tables.node, ("node",), ("node",), [(n,) for n in sorted(set(nodes))])}


def _documents(tx: Transaction, table: Table, key: str) -> list[str]:
    query = select(table.c.document).where(table.c.pool_id == tx.pool).order_by(table.c[key])
    return [row.document for row in tx.connection.execute(query)]


def _stamped(tx: Transaction, row: dict[str, object], version: int) -> dict[str, object]:
    return {**row, "version": version, "updated_at_us": tx.now_us}


def _upsert(tx: Transaction, table: Table, key: str, rows: Sequence[Mapping[str, str | None]]) -> tuple[int, int]:
    """Insert unknown rows, update those whose document differs; (added, changed)."""
    if not rows:
        return 0, 0
    stored = {
        getattr(row, key): row
        for row in tx.select(table, (key, "document", "version"), (key,), [(row[key],) for row in rows], lock=True)
    }
    fresh = [_stamped(tx, {**row}, 1) for row in rows if row[key] not in stored]
    moved = [
        _stamped(tx, {**row}, stored[row[key]].version + 1)
        for row in rows
        if row[key] in stored and stored[row[key]].document != row["document"]
    ]
    if fresh:
        tx.insert(table, fresh)
    if moved:
        columns = tuple(name for name in moved[0] if name != key)
        tx.update(table, keys=(key,), changes=columns, rows=moved)
    return len(fresh), len(moved)
