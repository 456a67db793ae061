"""`omo migrate`, `omo audit` and `omo warmup`: what keeps a database and its kernels ready."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omo_core.cli.exits import FINDINGS, OK, answering
from omo_core.cli.options import AsJson, DatabaseUrl, Pool, Schema
from omo_core.cli.terminal import print_json, say
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.inventory.auditor import AuditReport, Finding

SHOWN_FINDINGS = 20
"""Findings written out for people; --json has up to a thousand for each check."""


@answering
def migrate(
    database: DatabaseUrl,
    schema: Schema = None,
) -> int:
    """Bring a database to the version of this library; an empty one gets its tables."""
    from omo_core.storage.schema import migrate as bring_up

    before, after = bring_up(database, schema=schema)
    if before is None:
        say(f"The empty database now has our tables, version {after}.")
    elif before == after:
        say(f"The database already has version {after}; nothing was changed.")
    else:
        say(f"The database went from version {before} to {after}.")
    return OK


@answering
def audit(
    database: DatabaseUrl,
    pool: Pool = "default",
    schema: Schema = None,
    halt: Annotated[bool, typer.Option("--halt", help="Stop sales from stock rows that broke an invariant.")] = False,
    json: AsJson = False,
) -> int:
    """Check every invariant that the stored state can show; exit code 1 if one is broken."""
    from omo_core.hub import OrderHub
    from omo_core.storage.database import Database

    must_exist(database)
    with OrderHub(Database.open(database, schema=schema, migrate="never"), pool=pool) as hub:
        report = hub.audit(halt=halt)
    if json:
        print_json(_as_document(report, pool))
    else:
        _print(report, pool)
    return OK if report.clean else FINDINGS


def must_exist(database: str) -> None:
    """SQLite would make an empty file of a mistyped path."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(database)
    except ArgumentError:
        return  # opening says what is wrong with it
    path = url.database if url.get_backend_name() == "sqlite" else None
    if path and not path.startswith((":memory:", "file:")) and not Path(path).exists():
        raise InvalidInput(f"there is no database file {path}; check the path of --database")


def _as_document(report: AuditReport, pool: str) -> dict[str, object]:
    return {
        "pool": pool,
        "clean": report.clean,
        "found": dict(report.found),
        "counted": dict(report.counted),
        "findings": [_finding(one) for one in report.findings],
        "acknowledged": [_finding(one) for one in report.acknowledged],
        "halted": [{"sku": sku, "node": node, "condition": condition} for sku, node, condition in report.halted],
    }


def _finding(one: Finding) -> dict[str, object]:
    return {
        "invariant": one.invariant,
        "check": one.check,
        "sentence": one.sentence,
        "sku": one.sku,
        "node": one.node,
        "condition": one.condition,
    }


def _print(report: AuditReport, pool: str) -> None:
    from omo_core.cli.tables import print_table
    from omo_core.cli.terminal import console
    from omo_core.inventory.auditor import named
    from omo_core.report.wording import number, words

    screen = console()
    print_table(screen, ("Check", "broken"), ((words(name), number(count)) for name, count in report.found.items()))
    rows = sum(report.counted.values())
    screen.print(f"\n{len(report.found)} checks over {number(rows)} rows of pool {pool!r}.")
    if not rows:
        screen.print("The pool holds nothing yet; check --pool and --database.")
    for one in report.findings[:SHOWN_FINDINGS]:
        screen.print(f"  {one.sentence}")
    broken = sum(report.found.values())
    if broken > SHOWN_FINDINGS:
        screen.print(f"  … and {number(broken - SHOWN_FINDINGS)} more; --json lists them.")
    for cell in report.halted:
        screen.print(f"  Halted: {named(*cell)}.")
    if report.acknowledged:
        screen.print(
            f"{number(len(report.acknowledged))} older findings are acknowledged by repairs; --json lists them."
        )
    screen.print("Every invariant holds." if report.clean else f"{number(broken)} cases break an invariant.")


@answering
def warmup() -> int:
    """Compile or load the kernels now, so that the first order does not wait for them."""
    from time import perf_counter

    started = perf_counter()
    from omo_core.allocation import warmup as warm_up

    warm_up()
    say(f"The kernels are ready after {perf_counter() - started:.1f} s.")
    return OK
