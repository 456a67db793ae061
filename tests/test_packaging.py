"""The wheel holds the whole library, its data and its licence, and nothing else."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

from tools.house_rules import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [file] = folder.glob("*.whl")
    return zipfile.ZipFile(file)


@pytest.mark.slow
def test_the_wheel_holds_the_whole_library_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    files = [file for file in (ROOT / "omo_core").rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == {file.relative_to(ROOT).as_posix() for file in files}
    assert "omo_core/py.typed" in packed


@pytest.mark.slow
def test_the_wheel_carries_licence_command_and_requirements(wheel: zipfile.ZipFile) -> None:
    info = {Path(name).name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" in name}
    metadata = message_from_bytes(info["METADATA"])
    assert b"Apache License" in info["LICENSE"]
    assert b"omo = omo_core.cli:main" in info["entry_points.txt"]
    assert metadata["License-Expression"] == "Apache-2.0"
    assert {"cli", "postgres", "report", "demo", "dev"} <= set(metadata.get_all("Provides-Extra", []))
