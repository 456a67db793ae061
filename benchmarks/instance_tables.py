"""Instance and solution files as typed rows: a folder or a zip of CSV tables beside one JSON header."""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The date of every file in a zip, so that equal contents give equal bytes."""

MAX_WHOLE: Final = 1_000_000_000


class Malformed(ValueError):
    """A file does not keep to the format; the sentence names the file and the line."""

    def __init__(self, file: str, line: int | None, what: str) -> None:
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {what}")


@dataclass
class Row:
    """One line of a table; every reading of a field either gives its value or says where it is wrong."""

    file: str
    line: int
    fields: dict[str, str]

    def wrong(self, what: str) -> Malformed:
        """The error to raise about this line."""
        return Malformed(self.file, self.line, what)

    def text(self, name: str) -> str:
        """A value that is not empty."""
        value = self.fields[name]
        if not value:
            raise self.wrong(f"{name} is empty")
        return value

    def one_of(self, name: str, known: Sequence[str]) -> str:
        """A value of a closed list."""
        value = self.fields[name]
        if value not in known:
            raise self.wrong(f"{name} is {value!r}; it must be one of {', '.join(known)}")
        return value

    def whole(self, name: str, least: int = 0) -> int:
        """A whole number in plain digits."""
        value = self.fields[name]
        if not (value.isascii() and value.isdigit() and len(value) <= 10 and least <= int(value) <= MAX_WHOLE):
            raise self.wrong(f"{name} is {value!r}; it must be a whole number from {least} to {MAX_WHOLE}")
        return int(value)

    def real(self, name: str, most: float) -> float:
        """A number between -most and most."""
        try:
            value = float(self.fields[name])
        except ValueError:
            value = float("nan")
        if not -most <= value <= most:
            raise self.wrong(f"{name} is {self.fields[name]!r}; it must be a number from {-most:g} to {most:g}")
        return value


class Source:
    """A folder or a zip that is read."""

    def __init__(self, where: Path) -> None:
        if not where.exists():
            raise Malformed(str(where), None, "there is no such folder or zip file")
        if not (where.is_dir() or zipfile.is_zipfile(where)):
            raise Malformed(str(where), None, "it is neither a folder nor a zip file")
        self.where = where

    def header(self, name: str, kind: str, version: int) -> dict[str, Any]:
        """The JSON header, which says of which format and version it is."""
        with self._open(name) as lines:
            try:
                document = json.loads("".join(lines))
            except json.JSONDecodeError as error:
                raise Malformed(name, error.lineno, f"it is no JSON: {error.msg}") from None
            except (UnicodeDecodeError, RecursionError):
                raise Malformed(name, None, "it is no JSON that anybody could read") from None
        if not isinstance(document, dict) or document.get("format") != kind or document.get("version") != version:
            raise Malformed(name, None, f'its header must say "format": "{kind}" and "version": {version}')
        return document

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[Row]:
        """The lines of a table; lines count from 1, and the first names the columns."""
        with self._open(name) as lines:
            table = csv.reader(lines, strict=True)
            try:
                first = next(table, [])
                if first != list(columns):
                    raise Malformed(name, 1, f"the columns must be {','.join(columns)}")
                for values in table:
                    if len(values) != len(columns):
                        raise Malformed(name, table.line_num, f"{len(values)} fields; there must be {len(columns)}")
                    yield Row(name, table.line_num, dict(zip(columns, values, strict=True)))
            except csv.Error as error:
                raise Malformed(name, table.line_num, f"it is no CSV: {error}") from None
            except UnicodeDecodeError:
                raise Malformed(name, table.line_num + 1, "from here on it is no UTF-8") from None

    @contextmanager
    def _open(self, name: str) -> Iterator[Iterable[str]]:
        if self.where.is_dir():
            if not (self.where / name).is_file():
                raise Malformed(name, None, f"it is missing from {self.where}")
            with (self.where / name).open(encoding="utf-8", newline="") as lines:
                yield lines
            return
        with zipfile.ZipFile(self.where) as archive:
            if name not in archive.namelist():
                raise Malformed(name, None, f"it is missing from {self.where}")
            try:
                with archive.open(name) as raw, io.TextIOWrapper(raw, encoding="utf-8", newline="") as lines:
                    yield lines
            except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
                raise Malformed(name, None, f"the zip file is damaged here: {error}") from None


@dataclass
class Sink:
    """A folder, or a zip when the name ends in .zip, that is written; an older one of that name is replaced."""

    where: Path
    _archive: zipfile.ZipFile | None = field(default=None, init=False)

    def __enter__(self) -> Sink:
        if self.where.suffix == ".zip":
            self.where.parent.mkdir(parents=True, exist_ok=True)
            self._archive = zipfile.ZipFile(self.where, "w")
        else:
            self.where.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self._archive is not None:
            self._archive.close()

    def header(self, name: str, document: Mapping[str, Any]) -> None:
        """Write the JSON header."""
        with self._open(name) as out:
            out.write(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def rows(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a table; numbers as Python shows them, None as an empty field."""
        with self._open(name) as out:
            table = csv.writer(out, lineterminator="\n")
            table.writerow(columns)
            table.writerows(rows)

    @contextmanager
    def _open(self, name: str) -> Iterator[io.TextIOBase]:
        if self._archive is None:
            with (self.where / name).open("w", encoding="utf-8", newline="") as out:
                yield out
            return
        info = zipfile.ZipInfo(name, EPOCH)
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
        with (
            self._archive.open(info, "w", force_zip64=True) as raw,
            io.TextIOWrapper(raw, encoding="utf-8", newline="") as text,
        ):
            yield text
