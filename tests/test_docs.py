"""Every Python block in the documents runs, and every make target they name exists."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from tools.house_rules import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCK = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def python_of(text: str) -> str:
    """A document's Python blocks as one program that keeps the document's line numbers."""
    program = [""] * len(text.splitlines())
    for block in BLOCK.finditer(text):
        if block.group(1) == "python":
            first = text.count("\n", 0, block.start(2))
            body = block.group(2).splitlines()
            program[first : first + len(body)] = body
    return "\n".join(program) + "\n"


def targets_of(text: str) -> set[str]:
    """The make targets that a document's console blocks call."""
    consoles = [block.group(2) for block in BLOCK.finditer(text) if block.group(1) in ("console", "sh", "bash")]
    return {target for console in consoles for target in re.findall(r"^(?:\$ )?make ([a-z]+)", console, re.MULTILINE)}


def run_document(text: str, name: str, folder: Path) -> None:
    script = folder / f"{name}.py"
    script.write_text(python_of(text), encoding="utf-8")
    runpy.run_path(str(script), run_name="__main__")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_examples_of_a_document_run(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run_document(document.read_text(encoding="utf-8"), document.stem, tmp_path)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_the_commands_of_a_document_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    known = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert targets_of(document.read_text(encoding="utf-8")) <= known


EXAMPLE = """# Stock

```python
units = 7
```

```console
$ make launch
make test
```

```text
units = 0
```

```python
assert units == {units}
```
"""


def test_blocks_run_in_sequence_and_a_wrong_one_fails_at_its_line(tmp_path: Path) -> None:
    run_document(EXAMPLE.format(units=7), "right", tmp_path)
    with pytest.raises(AssertionError) as failure:
        run_document(EXAMPLE.format(units=8), "wrong", tmp_path)
    assert failure.traceback[-1].lineno + 1 == EXAMPLE.splitlines().index("assert units == {units}") + 1


def test_commands_are_found() -> None:
    assert targets_of(EXAMPLE) == {"launch", "test"}
