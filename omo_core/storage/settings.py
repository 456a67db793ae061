"""Small named documents of a pool, such as how far a run over a file has come."""

from __future__ import annotations

from omo_core.storage import tables
from omo_core.storage.transaction import Transaction


def get_setting(tx: Transaction, name: str) -> str | None:
    """The document under a name, or None."""
    rows = tx.select(tables.setting, ("document",), ("name",), [(name,)])
    return str(rows[0].document) if rows else None


def put_setting(tx: Transaction, name: str, document: str) -> int:
    """Keep a document under a name; returns its version, which grows with each change."""
    stored = tx.select(tables.setting, ("version", "document"), ("name",), [(name,)], lock=True)
    if stored and stored[0].document == document:
        return int(stored[0].version)
    version = 1 + (stored[0].version if stored else 0)
    row = {"name": name, "document": document, "version": version, "updated_at_us": tx.now_us}
    if stored:
        tx.update(tables.setting, [row], keys=("name",), changes=("document", "version", "updated_at_us"))
    else:
        tx.insert(tables.setting, [row])
    return version
