"""The options that several commands share, each with its help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

DatabaseUrl = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="URL",
        help="sqlite:///shop.db or postgresql+psycopg://user@host/name.",
        show_default=False,
    ),
]
Pool = Annotated[str, typer.Option("--pool", metavar="NAME", help="The stock pool in that database.")]
Schema = Annotated[
    str | None, typer.Option("--schema", metavar="NAME", help="PostgreSQL schema that holds our tables.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables, and no progress.")]
RejectShare = Annotated[
    float,
    typer.Option("--reject-share", metavar="SHARE", min=0, max=1, help="Share of offers that stores reject, 0 to 1."),
]
ChannelsFile = Annotated[
    Path | None,
    typer.Option(
        "--channels",
        metavar="FILE",
        help='Channels of signed lines: {"shop": {"adapter": "shopify", "config": {"secrets": ["…"]}}}.',
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option(
        "--column",
        metavar="OURS=THEIRS",
        help="Read a CSV column by its own name, such as sku=Article; stock.sku= and orders.sku= mean one file.",
    ),
]

NETWORK_HELP: Final = "Nodes, items and policy as a JSON document."
STOCK_HELP: Final = "What is where at the start: CSV with the columns sku, node, quantity."
