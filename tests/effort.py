"""How many examples a property is tried with: all of them in `make test`, fewer under Hypothesis's profile `quick`."""

from __future__ import annotations

from hypothesis import settings

FULL = 100


def examples(full: int) -> int:
    """So many in a full run, in proportion under a profile that tries fewer; read when a test module is imported."""
    return max(3, full * settings().max_examples // FULL)
