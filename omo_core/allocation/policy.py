"""The sourcing policy: every price and limit of a decision, as a frozen, versioned value kept with it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, model_validator

from omo_core.allocation.policy_files import Format, parse_document
from omo_core.allocation.policy_filters import (
    MAX_NAMED,
    DistanceLimit,
    ItemLimit,
    Limit,
    Metres,
    contradiction,
)
from omo_core.allocation.policy_parts import (
    BalanceLoad,
    Courier,
    DistanceBand,
    KeepBack,
    LastUnits,
    MissingData,
    Price,
    Promise,
    Reliability,
    Service,
    SlotWork,
    SolverChoice,
    Surcharge,
)
from omo_core.allocation.tariffs import ParcelTariff
from omo_core.model.errors import InvalidInput
from omo_core.model.network import NodeKind
from omo_core.model.values import Identifier, Text, Value

TERM_NAMES: Final = (
    *("shipping", "distance", "handling", "lateness", "one_hour", "pickup"),
    *("distance_band", "courier", "service", "priority", "last_units", "load", "reliability", "promise"),
)
"""The built-in cost terms; surcharges add their own names."""

RULE_NAMES: Final = (
    *("excluded", "unknown_pickup_node", "ship_to_store_off", "method_not_offered", "place_unknown"),
    *("outside_one_hour_radius", "closed", "no_courier", "hours_unknown", "pickup_closed", "no_consent"),
    *("outside_its_region", "service_not_offered", "distance_unknown", "misses_promise"),
    *("needs_capability", "kept_back", "last_units", "weight_unknown"),
    *("no_capacity", "units_short"),
)
"""The built-in rules and reasons; limits add their own names."""


class NodeKindCosts(Value):
    """What a shipment and a unit cost at nodes of one kind."""

    shipment_minor: Price
    """Each shipment, whatever is in it."""
    unit_minor: Price
    """Picking and packing one unit."""


def _default_kinds() -> dict[str, NodeKindCosts]:
    store = NodeKindCosts(shipment_minor=460, unit_minor=150)
    return {
        NodeKind.STORE.value: store,
        NodeKind.DEALER_STORE.value: store,
        NodeKind.PICKUP_POINT.value: store,
        NodeKind.REGIONAL_WAREHOUSE.value: NodeKindCosts(shipment_minor=400, unit_minor=80),
        NodeKind.CENTRAL_WAREHOUSE.value: NodeKindCosts(shipment_minor=400, unit_minor=60),
    }


class PolicyPrices(Value):
    """The prices and limits that every policy has.

    Their document, every field of it, is what a policy's digest is made of, with the parts that were chosen.
    """

    version: Literal[1] = 1
    kinds: Mapping[str, NodeKindCosts] = Field(default_factory=_default_kinds)
    shipment_per_1000_km_minor: Price = 450
    unit_per_1000_km_minor: Price = 60
    kg_per_1000_km_minor: Price = 0
    pickup_minor: Price = 50
    """Handing an order over at the node where it was kept."""
    ship_to_store: bool = True
    """Whether other nodes may send to the pickup node."""
    ship_to_store_minor: Price = 300
    """On top of what that parcel costs."""
    lateness_per_day_minor: Price = 250
    """Each day on the road beyond `free_days`."""
    metres_per_day: Annotated[int, Field(ge=1, le=20_100_000)] = 450_000
    free_days: Annotated[int, Field(ge=0, le=365)] = 2
    one_hour_minor: Price = 150
    one_hour_radius_m: Metres = 25_000
    one_hour_falls_back_to_ship: bool = True
    """Ship the whole order instead where the radius cannot fill all of it."""
    per_extra_node_minor: Price = 100
    """Each node of an order beyond its first; a split."""
    unserved_minor: Price = 20_000
    """One unit not served: more than freight across a continent, so that freight alone leaves no unit unserved."""
    unknown_distance_m: Metres = 5_000_000
    """Counts as the distance where a place is unknown, or the order's farthest known node if that is farther."""
    max_nodes: Annotated[int, Field(ge=1)] | None = None
    """Most nodes of one order; None means no limit."""
    candidates: Annotated[int, Field(ge=1)] = 16
    """Nodes looked at for a short order, before its pickup node, warehouses and each line's cheapest holders."""
    coverage_benefit_minor: Price = 300
    """What a line that a node can serve whole counts for when candidates are chosen."""
    max_exact_lines: Annotated[int, Field(ge=2, le=10)] = 8
    """Longer orders are served by a heuristic; the plan says which."""

    def of_kind(self, kind: str) -> NodeKindCosts:
        """The costs of a kind of node; a kind the policy does not list costs what a store does."""
        return self.kinds.get(kind) or self.kinds.get(NodeKind.STORE.value) or _default_kinds()[NodeKind.STORE.value]


class SourcingPolicy(PolicyPrices):
    """Prices and limits of sourcing, in minor units of the network's currency; the defaults suit US cents.

    Rates are whole minor units for each 1,000 km, so that every cost is an exact integer: a cost is
    (rate × metres + 500,000) // 1,000,000, halves up. A rule or term whose part of the policy is left out is off.
    """

    limits: tuple[Limit, ...] = Field(default=(), max_length=MAX_NAMED)
    """Which nodes may serve which orders."""
    item_limits: tuple[ItemLimit, ...] = Field(default=(), max_length=MAX_NAMED)
    """Which nodes may sell which items."""
    distance_limits: tuple[DistanceLimit, ...] = Field(default=(), max_length=MAX_NAMED)
    surcharges: tuple[Surcharge, ...] = Field(default=(), max_length=MAX_NAMED)
    distance_bands: tuple[DistanceBand, ...] = Field(default=(), max_length=1_000)
    """What distance costs in steps, on top of the rates."""
    parcel_tariffs: tuple[ParcelTariff, ...] = Field(default=(), max_length=MAX_NAMED)
    """Price lists for parcels by weight, on top of the rates; the first that fits node and distance counts."""
    priority_step_minor: Price = 0
    """Each shipment, times how far the node's priority is above the network's lowest number."""
    services: Mapping[Text, Service] = {}
    """By the name of the shipping service that the order asks for; a service not listed asks for nothing."""
    owner_consent: bool = False
    """Name nodes whose owner does not let this channel sell as such. Orders of the hub never reach them anyway."""
    pickup_while_open: bool = False
    """A pickup order needs a node that is open at its instant."""
    keep_back: tuple[KeepBack, ...] = Field(default=(), max_length=MAX_NAMED)
    last_units: LastUnits | None = None
    slot_work: SlotWork | None = None
    """Claim nodes' slots with the goods, and plan with what is left of them; None: slots are the host's own matter."""
    balance_load: BalanceLoad | None = None
    reliability: Reliability | None = None
    promise: Promise | None = None
    courier: Courier | None = None
    missing_data: MissingData | None = None
    weights: Mapping[Identifier, Annotated[int, Field(ge=0, le=1_000_000)]] = {}
    """By cost term, in thousandths of its price; a term not listed counts whole, one of weight 0 not at all."""
    solver: SolverChoice | None = None
    """None: greedy."""

    @model_validator(mode="after")
    def _does_not_contradict_itself(self) -> Self:
        limits = [one.name for part in (self.limits, self.distance_limits, self.item_limits) for one in part]
        charges = [one.name for one in self.surcharges]
        for names, taken in ((limits, RULE_NAMES), (charges, (*TERM_NAMES, "parcel", "split", "unserved"))):
            twice = [name for name, times in Counter([*names, *taken]).items() if times > 1]
            if twice:
                raise ValueError(f"the name {twice[0]!r} stands for two things; give each rule and term its own")
        if against := contradiction(self.limits):
            raise ValueError(f"limits: {against}")
        unknown = sorted(set(self.weights).difference(TERM_NAMES, charges))
        if unknown:
            raise ValueError(f"weights: there is no cost term {unknown[0]!r}; use one of {', '.join(TERM_NAMES)}")
        if self.distance_bands:
            *ends, last = [band.up_to_m for band in self.distance_bands]
            known = [end for end in ends if end is not None]
            if last is not None or len(known) < len(ends) or known != sorted(set(known)):
                raise ValueError("distance_bands: let `up_to_m` grow from band to band, and be null in the last")
        return self

    @classmethod
    def load(cls, document: Mapping[str, Any] | None) -> Self:
        """The policy of a JSON document (what is left out keeps its default); None is the default policy.

        Raises `InvalidInput` that names the field.
        """
        try:
            return cls.model_validate_json(json.dumps({} if document is None else dict(document)))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            if not where:
                raise InvalidInput(f"the sourcing policy contradicts itself: {first['msg']}") from None
            raise InvalidInput(f"the sourcing policy's field {where!r} cannot be used: {first['msg']}") from None
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                f"the sourcing policy is no plain data: {error}; write numbers, texts and lists"
            ) from None

    @classmethod
    def parse(cls, text: str, form: Format = "yaml") -> Self:
        """The policy of a JSON or YAML text; `InvalidInput` names what is wrong with it. JSON is YAML too."""
        return cls.load(parse_document(text, form))

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """The policy of a .json, .yaml or .yml file."""
        file = Path(path)
        form: Format = "json" if file.suffix == ".json" else "yaml"
        try:
            return cls.parse(file.read_text(encoding="utf-8"), form)
        except OSError as error:
            raise InvalidInput(f"cannot read the policy file {file}: {error.strerror}; check the path") from error
        except UnicodeDecodeError:
            raise InvalidInput(f"the policy file {file} is not UTF-8; save it as such") from None
        except InvalidInput as error:
            raise InvalidInput(f"{file}: {error}") from None

    def canonical_json(self) -> str:
        """One fixed JSON text: every field of `PolicyPrices`, then the parts that were chosen.

        A part at its default is left out, so that a policy keeps its digest when the library learns new parts.
        """
        parts = {
            name: field for name, field in type(self).model_fields.items() if name not in PolicyPrices.model_fields
        }
        return self.model_dump_json(
            exclude={name for name, part in parts.items() if getattr(self, name) == part.default}
        )
