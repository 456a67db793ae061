"""Alembic migrations of our own tables; `omo_core.storage.schema` decides when they run."""
