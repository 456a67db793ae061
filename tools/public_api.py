"""Write tests/public_api.txt: what a host may rely on, one line a name, field, member or method."""

import enum
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel

import omo_core
import omo_core.hub.desks

SNAPSHOT = Path(__file__).resolve().parent.parent / "tests" / "public_api.txt"


def describe() -> str:
    """The whole public interface as text, the same on every Python that we support."""
    public = {name: getattr(omo_core, name) for name in omo_core.__all__}
    # A host never makes a desk, but calls its methods all day.
    desks = {name: value for name, value in vars(omo_core.hub.desks).items() if name.endswith(("Desk", "Desks"))}
    return "".join(f"{line}\n" for name, value in {**public, **desks}.items() for line in describe_name(name, value))


def describe_name(name: str, value: Any) -> Iterator[str]:
    if not isinstance(value, type):
        yield f"{name}{inspect.signature(value)}" if callable(value) else f"{name} = {value!r}"
        return
    if issubclass(value, enum.Enum):
        yield f"enum {name}: {', '.join(repr(member.value) for member in value)}"
        return
    if issubclass(value, BaseException):
        yield f"error {name}({', '.join(base.__name__ for base in value.__bases__)}), code {getattr(value, 'code', None)!r}"
        return
    yield f"class {name}"
    if issubclass(value, BaseModel):
        yield from (f"    {name}.{field}" for field in _fields(value))
    yield from (f"    {name}.{member}" for member in _members(value))


def _fields(model: type[BaseModel]) -> Iterator[str]:
    annotations: dict[str, Any] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            annotations |= inspect.get_annotations(base)
    for name, field in model.model_fields.items():
        annotation = annotations[name]
        text = annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)
        default = "" if field.is_required() else " = …" if field.default_factory else f" = {field.default!r}"
        yield f"{name}: {text}{default}"


def _members(cls: type) -> Iterator[str]:
    for name, member in sorted(inspect.getmembers_static(cls)):
        defined_by_us = any(name in vars(base) and base.__module__.startswith("omo_core") for base in cls.__mro__)
        if not defined_by_us or (name.startswith("_") and name != "__init__") or name in ("model_config", "code"):
            continue
        if isinstance(member, property):
            yield f"{name} -> {inspect.signature(member.fget).return_annotation}" if member.fget else name
        elif isinstance(member, classmethod | staticmethod) or inspect.isfunction(member):
            yield f"{name}{inspect.signature(getattr(cls, name))}"


if __name__ == "__main__":
    SNAPSHOT.write_text(describe(), encoding="utf-8")
