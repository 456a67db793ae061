"""All mutants, in the order of their numbers."""

from __future__ import annotations

from typing import Final

from tools.mutants import answers, channels, locks, stock

MUTANTS: Final = tuple(
    sorted(
        (*stock.MUTANTS, *locks.MUTANTS, *answers.MUTANTS, *channels.MUTANTS),
        key=lambda mutant: (mutant.number, mutant.letter),
    )
)
"""The numbers 1 to 24 are those of the list of ways to break the pool that the suite must notice."""
