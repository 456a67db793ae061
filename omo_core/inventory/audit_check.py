"""What a check of the audit is: an invariant, what to say when it is broken, and the SQL that finds what breaks it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SCAN: Final = "/*scan*/"
"""Stands after a table that a check reads whole: SQLite would rather follow an index to every row of it."""

ONLY: Final = "/*only*/"
"""Stands where a statement can be kept to stock rows that are already suspected."""

_ONLY_SQLITE: Final = """AND (sku, node, condition) IN
    (SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]') FROM json_each(:only))"""
_ONLY_POSTGRES: Final = """AND (sku, node, condition) IN
    (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_array_elements(CAST(:only AS json)))"""


@dataclass(frozen=True, slots=True)
class Check:
    """One question: the invariant's number in the house's list, a name, what to say, and how to find it.

    The statement sees one snapshot and returns nothing from a sound database. Its columns fill the sentence; `sku`,
    `node` and `condition` name the stock row concerned, of which the sentence speaks as `{row}`.
    """

    invariant: int
    name: str
    sentence: str
    sql: str
    sqlite: str = ""
    """The statement for SQLite where another one is quicker there."""
    history: bool = False
    """Whether the findings are about what is written for good. Each then has a `subject`, by which a repair can
    acknowledge it: nothing else ever makes it go away."""
    halts: bool = False
    """Whether a stock row that breaks it promises nothing until a person has repaired it."""
    screened: bool = False
    """Whether a screen over the whole ledger tells beforehand which stock rows can have findings."""

    def statement(self, *, postgres: bool, only: bool = False) -> str:
        """The SQL for an engine; with `only`, kept to the stock rows bound as `:only`, a JSON list of their keys."""
        return spelt(self.sql if postgres or not self.sqlite else self.sqlite, postgres=postgres, only=only)


def spelt(sql: str, *, postgres: bool, only: bool = False) -> str:
    """A statement with its marks replaced by what they stand for on the engine."""
    sql = sql.replace(SCAN, "" if postgres else "NOT INDEXED")
    return sql.replace(ONLY, (_ONLY_POSTGRES if postgres else _ONLY_SQLITE) if only else "")
