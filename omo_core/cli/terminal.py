"""What is written to the terminal: consoles that never colour or wrap JSON, and numbers as people read them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console


def console(stream: TextIO | None = None) -> Console:
    """A console on a stream (stdout by default) that leaves our words as they are; it obeys NO_COLOR and COLUMNS."""
    from rich.console import Console

    return Console(file=stream or sys.stdout, highlight=False, emoji=False, markup=False)


def print_json(document: Any) -> None:
    """One JSON object on stdout, and nothing else."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2) + "\n")


def say(sentence: str) -> None:
    """A line on stdout."""
    sys.stdout.write(sentence + "\n")


def tell(sentence: str) -> None:
    """A line on stderr, beside the answer."""
    sys.stderr.write(sentence + "\n")
