"""Runs the migrations on an open connection, in its transaction."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

FOLDER: Final = Path(__file__).parent


def config_for(connection: Connection, schema: str | None) -> Config:
    """Alembic's configuration for one connection; env.py takes both from its attributes."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    config.attributes["schema"] = schema
    return config


def to_head(connection: Connection, schema: str | None) -> None:
    """Bring the tables from their revision to the newest; nothing is committed here."""
    command.upgrade(config_for(connection, schema), "head")
