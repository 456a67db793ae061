"""What a mutant is: a named defect, the edits that bring it about, and the tests that must fail because of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


class StaleMutant(Exception):
    """The code has moved on: an edit of the table does not fit it any more."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in one file; `old` occurs there exactly once."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One defect; where it can be made at several places, each has the same number and a letter of its own."""

    number: int
    letter: str = ""
    what: str
    """The defect in a few words."""
    how: str
    """What the edits do to this implementation."""
    edits: tuple[Edit, ...]
    killers: tuple[str, ...]
    """The quickest tests that must notice it, as pytest names them."""
    shows: str
    """What the report of the failed test says, so that it fails for this reason and no other."""
    postgres: bool = False
    """Whether the tests need a PostgreSQL server."""

    @property
    def name(self) -> str:
        """Number and letter."""
        return f"{self.number}{self.letter}"


def changed_files(mutant: Mutant, root: Path) -> Mapping[str, str]:
    """Path -> text of the files that a mutant changes; raises `StaleMutant` where an edit does not fit."""
    texts: dict[str, str] = {}
    for edit in mutant.edits:
        file = root / edit.path
        if edit.path not in texts and not file.is_file():
            raise StaleMutant(f"Mutant {mutant.name} edits {edit.path}, which is gone; bring its entry up to date")
        text = texts.get(edit.path) or file.read_text(encoding="utf-8")
        found = text.count(edit.old)
        if found != 1:
            raise StaleMutant(
                f"Mutant {mutant.name} looks for {edit.old!r} in {edit.path} and finds it {found} times, not once; "
                "bring its entry up to date, so that the same defect is made in the code as it is now"
            )
        texts[edit.path] = text.replace(edit.old, edit.new)
    return texts
