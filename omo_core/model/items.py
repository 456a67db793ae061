"""Items: what is sold and kept, in base units with exact conversions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from omo_core.model.errors import InvalidInput
from omo_core.model.values import Identifier, Quantity, Sku, Text, Value

Ability = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,62}$")]
"""What an item needs and a node can do, such as cold_chain or hazard."""


class Item(Value):
    """One stock-keeping unit; every quantity of it is a whole number of `base_unit`."""

    sku: Sku
    name: Text | None = None
    gtin: Identifier | None = None
    weight_g: Annotated[int, Field(ge=0, le=100_000_000)] = 0
    needs: tuple[Ability, ...] | None = None
    """What a node must be able to do to sell it, such as cold_chain or hazard."""
    base_unit: Identifier = "each"
    units: Mapping[str, Quantity] = {}
    """Other units and how many base units one of them holds, such as {"case": 12}."""
    components: Mapping[Sku, Quantity] = {}
    """Of a kit: the items it is put together from, and how many of each; a kit has no stock of its own."""

    @model_validator(mode="after")
    def _is_no_part_of_itself(self) -> Self:
        if self.sku in self.components:
            raise ValueError(f"the kit {self.sku!r} lists itself as a component; list what it is put together from")
        return self

    def in_base_units(self, numerator: int, unit: str, denominator: int = 1) -> int:
        """Base units of numerator/denominator `unit`s; raises `InvalidInput` unless it converts exactly."""
        factor = 1 if unit == self.base_unit else self.units.get(unit)
        if factor is None:
            known = ", ".join([self.base_unit, *self.units])
            raise InvalidInput(f"{self.sku} is not counted in {unit!r}; use one of: {known}")
        base, rest = divmod(numerator * factor, denominator)
        if rest:
            raise InvalidInput(f"{numerator}/{denominator} {unit} of {self.sku} is no whole number of {self.base_unit}")
        return base
