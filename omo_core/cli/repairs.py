"""`omo repair` and `omo roles`: a broken stock row is put right, and a service gets the rights it needs and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from omo_core.cli.exits import BAD_INPUT, OK, answering
from omo_core.cli.options import AsJson, DatabaseUrl, Pool, Schema
from omo_core.cli.terminal import print_json, say

if TYPE_CHECKING:
    from omo_core.inventory.repair import RepairAnswer, RepairRow


@answering
def repair(
    database: DatabaseUrl,
    sku: Annotated[str, typer.Option("--sku", metavar="SKU", help="The item of the broken row.", show_default=False)],
    node: Annotated[
        str, typer.Option("--node", metavar="NODE", help="The node of the broken row.", show_default=False)
    ],
    on_hand: Annotated[
        int, typer.Option("--on-hand", metavar="UNITS", min=0, help="Units counted on the shelf.", show_default=False)
    ],
    by: Annotated[str, typer.Option("--by", metavar="ID", help="Your operator id; not a name.", show_default=False)],
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why it is repaired.", show_default=False)],
    key: Annotated[str, typer.Option("--key", metavar="KEY", help="The same key repairs once.", show_default=False)],
    condition: Annotated[str, typer.Option("--condition", metavar="NAME", help="sellable or quarantine.")] = "sellable",
    pool: Pool = "default",
    schema: Schema = None,
    json: AsJson = False,
) -> int:
    """Put a stock row right that broke an invariant, by a recorded operation; it sells again."""
    from omo_core.cli.databases import must_exist
    from omo_core.hub import OrderHub
    from omo_core.storage.database import Database

    must_exist(database)
    command = _command(sku=sku, node=node, condition=condition, on_hand=on_hand, by=by, reason=reason, key=key)
    with OrderHub(Database.open(database, schema=schema, migrate="never"), pool=pool) as hub:
        answer = hub.repair(command)
    if json:
        print_json(answer.model_dump(mode="json"))
    else:
        _print(answer)
    return OK if answer.applied else BAD_INPUT


def _command(**values: object) -> RepairRow:
    from pydantic import ValidationError

    from omo_core.inventory.repair import RepairRow
    from omo_core.model.errors import InvalidInput

    try:
        return RepairRow.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise InvalidInput(f"--{option}: {first['msg']}") from error


def _print(answer: RepairAnswer) -> None:
    for refusal in answer.refusals:
        say(refusal.sentence)
    for sentence in answer.found:
        say(f"Was: {sentence}")
    for sentence in answer.acknowledged:
        say(f"Acknowledged, because the ledger is never rewritten: {sentence}")
    for one in answer.displaced:
        say(f"Displaced: {one.quantity} units of {one.owner}.")
    if answer.applied:
        say("The row is repaired and sells again.")


@answering
def roles(
    database: DatabaseUrl,
    role: Annotated[str, typer.Option("--role", metavar="NAME", help="A role that exists.", show_default=False)],
    reporting: Annotated[bool, typer.Option("--reporting", help="Let it read, and no personal data.")] = False,
    apply: Annotated[bool, typer.Option("--apply", help="Run the SQL instead of printing it.")] = False,
    schema: Schema = None,
) -> int:
    """Give a PostgreSQL role what a service needs: no change of history, no change of tables."""
    from omo_core.storage import roles as rights
    from omo_core.storage.database import Database

    kind = rights.RoleKind.REPORTING if reporting else rights.RoleKind.SERVICE
    if not apply:
        for statement in rights.statements(role, kind, schema=schema or "public"):
            say(f"{statement};")
        return OK
    with Database.open(database, schema=schema, migrate="never") as opened:
        made = rights.apply(opened, role, kind)
    say(f"The role {role!r} has the rights of a {kind.value} role; {len(made)} statements were run.")
    return OK
