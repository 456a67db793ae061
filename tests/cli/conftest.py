from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from omo_core.cli import main
from tests.batch.shop import Shop


@dataclass(frozen=True)
class Said:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout, with nothing beside it."""
        return json.loads(self.out)


Omo = Callable[..., Said]


@pytest.fixture
def omo(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Omo:
    """Run `omo` with these words; 100 columns wide."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: object) -> Said:
        code = main([str(word) for word in words])
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def run_words(shop: Shop, database: str | None = None, out: str = "out") -> list[object]:
    """The words of `omo run` over a shop's files."""
    files = shop.files
    return [
        *("run", "--network", files.network, "--stock", files.stock, "--orders", files.orders),
        *("--database", database or shop.database, "--out", shop.folder / out),
    ]
