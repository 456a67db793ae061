"""Says what a dialect would lose of an order: what comes back from its own document is not what went in."""

from __future__ import annotations

from omo_core.model.errors import InvalidInput
from omo_core.model.orders import Order


def refuse_losses(order: Order, read: Order, dialect: str) -> None:
    """Raise `InvalidInput` with the fields in which the order differs from what was read back of its document."""
    lost = [
        name for name in Order.model_fields if name != "body_sha256" and getattr(order, name) != getattr(read, name)
    ]
    if lost:
        raise InvalidInput(f"a {dialect} order cannot carry this order's {', '.join(lost)}; use the native format")


def needed(value: object, name: str, dialect: str) -> None:
    """Raise `InvalidInput` where the dialect cannot say that something is missing."""
    if value is None:
        raise InvalidInput(f"a {dialect} order cannot be without {name}; give it, or use the native format")
