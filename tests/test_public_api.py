"""The public interface changes only on purpose."""

import ast
import importlib
from enum import StrEnum
from pathlib import Path

import pytest
from pydantic import BaseModel

import omo_core
from tools.public_api import SNAPSHOT, describe, describe_name


def test_public_interface_is_the_recorded_one() -> None:
    recorded = SNAPSHOT.read_text(encoding="utf-8")
    assert describe() == recorded, (
        "If this change of the interface is meant: `python tools/public_api.py`, and a line in CHANGELOG.md."
    )


def test_type_checkers_see_the_names_that_the_interpreter_resolves() -> None:
    tree = ast.parse(Path(omo_core.__file__).read_text(encoding="utf-8"))
    declared = {
        (node.module, alias.asname)
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert declared == {(module, name) for module, names in omo_core._HOMES.items() for name in names}


def test_public_names_are_the_objects_of_their_modules() -> None:
    for module, names in omo_core._HOMES.items():
        for name in names:
            assert getattr(omo_core, name) is getattr(importlib.import_module(module), name)
    assert set(omo_core.__all__) <= set(dir(omo_core))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'OrderHubb'"):
        omo_core.OrderHubb  # noqa: B018


class Colour(StrEnum):
    RED = "red"


class Crate(BaseModel):
    sku: str
    units: int = 1


def test_the_record_sees_fields_defaults_members_and_signatures() -> None:
    def pick(sku: str, *, units: int = 1) -> None: ...

    assert list(describe_name("Colour", Colour)) == ["enum Colour: 'red'"]
    assert list(describe_name("Crate", Crate)) == ["class Crate", "    Crate.sku: str", "    Crate.units: int = 1"]
    assert list(describe_name("pick", pick)) == ["pick(sku: str, *, units: int = 1) -> None"]
    assert list(describe_name("LIMIT", 12)) == ["LIMIT = 12"]
