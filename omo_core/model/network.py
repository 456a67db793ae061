"""The network: every place that holds, ships or hands over stock, and the items they trade in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, GetCoreSchemaHandler, Strict, model_validator
from pydantic_core import core_schema

from omo_core.model.items import Ability, Item
from omo_core.model.values import Currency, GeoPoint, Identifier, NodeId, Text, Value

DAY_S = 86_400


class NodeKind(StrEnum):
    """What a node is; rules and cost tables speak of kinds."""

    STORE = "store"
    DEALER_STORE = "dealer_store"
    REGIONAL_WAREHOUSE = "regional_warehouse"
    CENTRAL_WAREHOUSE = "central_warehouse"
    PICKUP_POINT = "pickup_point"


class DeliveryMethod(StrEnum):
    """How goods reach the buyer."""

    SHIP = "ship"
    PICKUP = "pickup"
    ONE_HOUR = "one_hour"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not an IANA time zone such as Asia/Taipei") from None
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]


Place = Annotated[str, Field(pattern=r"^[A-Z]{2}(/[^\x00]{1,200})?$")]
"""A country, such as TW, or one region of it, such as TW/Taipei."""


class _EnumRule:
    """How a member of a text enum is read and written."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        schema: Any = handler.generate_schema(Annotated[source, Strict(False)])
        # A member is its text; as an enum it would be asked for its value in Python, a third of an answer's time.
        schema["serialization"] = core_schema.simple_ser_schema("str")
        return schema  # type: ignore[no-any-return]


def enum_of(kind: type[StrEnum]) -> Any:
    """Let strict values take the enum's text too, as JSON and Python callers both write it."""
    del kind  # named for the reader; the annotated type says the same to pydantic
    return _EnumRule()


class OpeningHours(Value):
    """One weekly interval of local wall-clock time; a night shift is two intervals."""

    weekday: Annotated[int, Field(ge=0, le=6)]
    """0 is Monday."""
    opens_s: Annotated[int, Field(ge=0, lt=DAY_S)]
    closes_s: Annotated[int, Field(gt=0, le=DAY_S)]

    @model_validator(mode="after")
    def _closes_after_opening(self) -> Self:
        if self.closes_s <= self.opens_s:
            raise ValueError("closes_s must be after opens_s; write an interval over midnight as two")
        return self


class Consent(Value):
    """An owner's word that the brand may sell what lies at his node."""

    channels: tuple[Identifier, ...] = ()
    """The channels it holds for; empty: all of them."""


class Node(Value):
    """A place that holds stock and works orders: store, dealer's store, warehouse or pickup point.

    Without a `point` a node is never "near": it is ineligible for every rule that needs a distance.
    Without `opening_hours` it is always open. Stock of another `owner` counts in the pool only with his `consent`.
    """

    node: NodeId
    kind: Annotated[NodeKind, enum_of(NodeKind)]
    name: Text | None = None
    point: GeoPoint | None = None
    time_zone: TimeZone = "UTC"
    opening_hours: tuple[OpeningHours, ...] = ()
    methods: tuple[Annotated[DeliveryMethod, enum_of(DeliveryMethod)], ...] = tuple(DeliveryMethod)
    priority: Annotated[int, Field(ge=-1_000_000, le=1_000_000)] = 100
    """Lower is tried first."""
    region: Text | None = None
    """A name that groups nodes in reports and rules, such as a metropolitan area."""
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")] | None = None
    node_class: Identifier | None = None
    """A class of the host's own, such as flagship or outlet; rules and prices may speak of it."""
    owner: Identifier | None = None
    """Whose stock lies here; None: the brand's own."""
    consent: Consent | None = None
    ships_to: tuple[Place, ...] | None = None
    """The only places that its parcels and couriers go to; None: everywhere."""
    abilities: tuple[Ability, ...] | None = None
    """What it can keep and send beyond plain goods; items say what they need."""
    lead_time_s: Annotated[int, Field(ge=0, le=90 * DAY_S)] | None = None
    """From an order's decision until it stands ready."""
    cut_off_s: Annotated[int, Field(ge=0, lt=DAY_S)] | None = None
    """When parcels leave each day, on its own wall clock; None: as soon as they are ready."""
    reject_permille: Annotated[int, Field(ge=0, le=1_000)] | None = None
    """How many of a thousand offers it rejects; None: not known."""

    @model_validator(mode="after")
    def _owner_is_said(self) -> Self:
        if self.kind is NodeKind.DEALER_STORE and self.owner is None:
            raise ValueError("a dealer_store must name its owner; give `owner`, and `consent` if its stock may be sold")
        if self.consent is not None and self.owner is None:
            raise ValueError("only stock of another owner needs consent; name the owner or leave consent out")
        return self

    def serves(self, channel: str | None) -> bool:
        """Whether orders of this channel (None: of any) may be promised from the node's stock."""
        if self.owner is None:
            return True
        return self.consent is not None and (not self.consent.channels or channel in self.consent.channels)

    def is_open(self, instant: datetime) -> bool:
        """Whether the node works at this aware instant, on its own wall clock."""
        if not self.opening_hours:
            return True
        local = instant.astimezone(_zone(self.time_zone))
        second = local.hour * 3600 + local.minute * 60 + local.second
        return any(
            hours.weekday == local.weekday() and hours.opens_s <= second < hours.closes_s
            for hours in self.opening_hours
        )


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


class Network(Value):
    """Nodes and items of one pool, as loaded from a network document."""

    version: Literal[1] = 1
    currency: Currency
    """The currency of every cost in the policy; orders may be in others."""
    nodes: tuple[Node, ...] = Field(min_length=1)
    items: tuple[Item, ...] = ()
    policy: Mapping[str, Any] | None = None
    """The sourcing policy as plain data; `omo_core.allocation.SourcingPolicy` reads it. None: the defaults."""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Self:
        for what, ids in (("node", [n.node for n in self.nodes]), ("sku", [i.sku for i in self.items])):
            twice = [one for one, times in Counter(ids).items() if times > 1]
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is listed twice; list each once")
        return self
