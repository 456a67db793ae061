"""Events: facts we publish, in an envelope with CloudEvents 1.0 attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from omo_core.model.values import Identifier, Instant, Value


class Event(Value):
    """One fact about one aggregate; `version` counts 1, 2, 3 … per aggregate without a gap.

    Attribute names follow https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md.
    """

    specversion: Literal["1.0"] = "1.0"
    id: Identifier
    source: Identifier
    """The pool, such as omo/default."""
    type: Identifier
    """Such as omo.order.placed.v1."""
    subject: Identifier
    """Aggregate kind and id, such as order/0190…."""
    time: Instant
    version: Annotated[int, Field(ge=1)]
    data: Mapping[str, Any]
