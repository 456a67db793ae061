"""Policy documents as text: JSON or YAML, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from omo_core.model.errors import InvalidInput

Format = Literal["json", "yaml"]


def parse_document(text: str, form: Format) -> Mapping[str, Any]:
    """The mapping that a text holds; a name given twice, or what is no mapping, raises `InvalidInput`."""
    read = _json if form == "json" else _yaml
    document = read(text)
    if not isinstance(document, dict):
        raise InvalidInput(f"the sourcing policy is no mapping of fields but {document!r:.60}; write `field: value`")
    return document


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"the sourcing policy is no JSON: {error}; correct it and load it again") from None


def _yaml(text: str) -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """Plain data only, and no name twice: PyYAML alone would keep the last."""

    def mapping(loader: Loader, node: yaml.MappingNode) -> dict[Any, Any]:
        loader.flatten_mapping(node)
        return _once(
            [
                (loader.construct_object(key, deep=True), loader.construct_object(value, deep=True))
                for key, value in node.value
            ]
        )

    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    try:
        return yaml.load(text, Loader)
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"the sourcing policy is no YAML: {error}; correct it and load it again") from None


def _once(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidInput(f"the sourcing policy names {name!r} twice; name each field once")
        found[name] = value
    return found
