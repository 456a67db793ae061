"""`omo reevaluate`: offered work is decided again together, or what that would move is told and nothing is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from omo_core.cli.exits import OK, answering
from omo_core.cli.options import AsJson, DatabaseUrl, Pool, Schema
from omo_core.cli.terminal import print_json, say
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.orders import Reevaluated
    from omo_core.orders.proposed import Proposed, ProposedShipment

_SHOWN_ORDERS = 50
"""Orders that the terminal lists; --json has all of them."""


@answering
def reevaluate(
    database: DatabaseUrl,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="The same key moves once; a dry run needs none.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be moved, and change nothing.")] = False,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="Take back work too that a node has accepted and not sent.")
    ] = False,
    parcel_minor: Annotated[
        int,
        typer.Option("--parcel-minor", metavar="N", min=0, max=1_000_000, help="What a parcel less is worth besides."),
    ] = 0,
    growth_permille: Annotated[
        int,
        typer.Option(
            "--growth-permille", metavar="N", min=-1, max=100_000, help="How much farther parcels may go; -1: any way."
        ),
    ] = 50,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=100_000, help="Most orders.")] = 10_000,
    after: Annotated[
        str, typer.Option("--after", metavar="ID", help="Go on behind this order, as the run before said.")
    ] = "",
    pool: Pool = "default",
    schema: Schema = None,
    json: AsJson = False,
) -> int:
    """Decide work again that was offered and is not picked, and move what is better elsewhere.

    Nodes hear of withdrawn and new work as ever. What changes while it is decided is left as it is.
    """
    from omo_core.cli.databases import must_exist
    from omo_core.hub import OrderHub
    from omo_core.orders import Reevaluate
    from omo_core.storage.database import Database

    if key is None and not dry_run:
        raise InvalidInput("give --key, so that the same run twice moves once, or --dry-run")
    command = Reevaluate(
        key=_checked(key or "dry-run"),
        after=after,
        limit=limit,
        accepted=accepted,
        parcel_minor=parcel_minor,
        growth_permille=None if growth_permille < 0 else growth_permille,
    )
    must_exist(database)
    with OrderHub(Database.open(database, schema=schema, migrate="never"), pool=pool) as hub:
        if dry_run:
            _tell(hub.sourcing.proposed(command), as_json=json)
        else:
            currency = hub.run(hub.context, read_only=True).index.currency
            _answer(hub.sourcing.reevaluate(command), currency, as_json=json)
    return OK


def _checked(key: str) -> str:
    """The key, if it is one; raises `InvalidInput`."""
    from pydantic import TypeAdapter, ValidationError

    from omo_core.model.values import Key

    try:
        return TypeAdapter(Key).validate_python(key)
    except ValidationError as error:
        raise InvalidInput(f"--key: {error.errors()[0]['msg']}") from error


def _tell(found: Proposed, *, as_json: bool) -> None:
    """What a dry run found."""
    from omo_core.report.wording import number

    if as_json:
        totals = {name: getattr(found, name) for name in ("shipments_after", "parcels_saved", "saved_minor")}
        print_json({"dry_run": True, **found.model_dump(mode="json"), **totals})
        return
    rows = [
        (
            f"{one.channel}/{one.external_id}",
            _nodes(one.before),
            _nodes(one.after),
            _amount(one.saved_minor, found.currency),
            one.why,
        )
        for one in found.moved
    ]
    _print((f"Order, {found.currency}", "from", "to", "saves", "why"), rows)
    say(
        f"{number(found.orders_seen)} orders could be moved; {number(len(found.moved))} would be. "
        f"Shipments: {number(found.shipments_before)} now, {number(found.shipments_after)} then. "
        f"Saved: {_amount(found.saved_minor, found.currency)} {found.currency}. Nothing was changed."
    )
    _say_next(found.last)


def _answer(done: Reevaluated, currency: str, *, as_json: bool) -> None:
    """What was done."""
    from omo_core.report.wording import number

    if as_json:
        totals = {"parcels_saved": done.parcels_saved, "saved_minor": done.saved_minor}
        print_json({"dry_run": False, **done.model_dump(mode="json"), **totals})
        return
    rows = [
        (
            f"{one.channel}/{one.external_id}",
            number(len(one.withdrawn)),
            ", ".join(sorted(offer.node for offer in one.offered)),
            _amount(one.saved_minor, currency),
        )
        for one in done.moved
    ]
    _print((f"Order, {currency}", "withdrawn", "offered to", "saved"), rows)
    say(
        f"{number(done.orders_seen)} orders could be moved; {number(len(done.moved))} were. "
        f"Shipments saved: {number(done.parcels_saved)}. Saved: {_amount(done.saved_minor, currency)} {currency}."
    )
    if done.left:
        say(
            f"{number(len(done.left))} orders changed meanwhile, or others took their goods; they were left as they are."
        )
    _say_next(done.last)


def _print(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from omo_core.cli.tables import print_table
    from omo_core.cli.terminal import console
    from omo_core.report.wording import number

    print_table(console(), header, rows[:_SHOWN_ORDERS])
    if len(rows) > _SHOWN_ORDERS:
        say(f"… and {number(len(rows) - _SHOWN_ORDERS)} more; --json lists them.")
    if rows:
        say("")


def _say_next(last: str) -> None:
    if last:
        say(f"Orders beyond these: --after {last}")


def _nodes(shipments: Iterable[ProposedShipment]) -> str:
    units = Counter[str]()
    for one in shipments:
        units[one.node] += one.units
    return ", ".join(f"{node} ({count})" for node, count in sorted(units.items()))


def _amount(minor: int, currency: str) -> str:
    """The header names the currency."""
    from omo_core.report.wording import money

    return money(minor, currency).removesuffix(f" {currency}")
