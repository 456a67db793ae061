"""What README.md shows beside its example is what the example prints, and its links and picture are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.test_docs import BLOCK, DOCUMENTS, run_document
from tools.house_rules import ROOT

LINK = re.compile(r"\]\(([^)#\s]*)(#[^)\s]+)?\)")


def test_the_example_prints_what_the_readme_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = [block.group(2) for block in BLOCK.finditer(text) if block.group(1) == "text"]
    monkeypatch.chdir(tmp_path)
    run_document(text, "README", tmp_path)
    assert shown == [capsys.readouterr().out]


def anchors_of(text: str) -> set[str]:
    """The anchors that a document's headings get."""
    without_blocks = BLOCK.sub("", text)
    titles = re.findall(r"^#+ (.+)$", without_blocks, re.MULTILINE)
    return {"#" + re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(document: Path) -> list[str]:
    """Links to files that are not there, or to headings that their documents do not have."""
    found = []
    for path, anchor in LINK.findall(BLOCK.sub("", document.read_text(encoding="utf-8"))):
        if path.startswith(("http:", "https:")):
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors_of(target.read_text(encoding="utf-8"))):
            found.append(path + anchor)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    assert broken_links(document) == []


def test_a_broken_link_is_seen(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A word, or two\n", encoding="utf-8")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md#a-word-or-two) [b](gone.md) [c](there.md#gone) [d](https://x.test/)", encoding="utf-8"
    )
    assert broken_links(page) == ["gone.md", "there.md#gone"]
