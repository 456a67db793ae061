"""The command line `omo`: files and databases in, tables or one JSON object out."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.util import find_spec

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command, by default that of `sys.argv`; returns the exit code that `omo --help` explains."""
    missing = [name for name in ("typer", "rich") if find_spec(name) is None]
    if missing:
        sys.stderr.write(f"omo needs {' and '.join(missing)}; install them with: pip install 'omo-core[cli]'\n")
        return 2
    from omo_core.cli.app import run

    return run(arguments)
