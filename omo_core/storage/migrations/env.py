"""Alembic's environment: our tables only, on the connection and in the transaction that `upgrade` gives."""

from __future__ import annotations

from typing import Any, Final

from alembic import context

from omo_core.storage.schema import VERSION_TABLE
from omo_core.storage.tables import metadata

OURS: Final = "omo_"


def _is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """A host's tables are neither compared nor touched."""
    if kind == "schema":
        return name == context.config.attributes.get("schema")
    return kind != "table" or (name or "").startswith(OURS)


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    include_name=_is_ours,
    transactional_ddl=True,
)
context.run_migrations()
