"""Progress on stderr: a bar per stage in a terminal, a line per finished stage elsewhere, nothing with --json."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from omo_core.cli.terminal import console

if TYPE_CHECKING:
    from rich.progress import Progress as Bars, TaskID

    from omo_core.batch.run import Progress

_LABELS: Final = {
    "reading baskets": "read baskets",
    "laying out the network": "lay out network",
    "writing orders": "sign orders",
    "stock": "receive stock",
    "flow": "messages flow",
    "figures": "audit, figures",
    "report": "write report",
}


@contextmanager
def shown_progress(*, silent: bool) -> Iterator[Progress]:
    """A callback (stage, done, total) that shows itself while the block runs."""
    if silent:
        yield _nothing
        return
    screen = console(sys.stderr)
    if not screen.is_terminal:
        yield Lines().tell
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress as Bars, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description:<15}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=screen, expand=True) as bars:
        yield BarPerStage(bars).tell


def _nothing(_stage: str, _done: int, _total: int) -> None:
    pass


class BarPerStage:
    """One bar for each stage, made when the stage first reports."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def tell(self, stage: str, done: int, total: int) -> None:
        """Move the stage's bar; a total of 0 is not known."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(_LABELS.get(stage, stage), total=total or None)
        self._bars.update(self._tasks[stage], completed=done, total=total or None)


class Lines:
    """One line for each stage when it is through, for logs."""

    def tell(self, stage: str, done: int, total: int) -> None:
        """Write the line of a stage that has come to its end."""
        if done and done >= total:
            sys.stderr.write(f"{_LABELS.get(stage, stage)}: {done:,}\n")
            sys.stderr.flush()
