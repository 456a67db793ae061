"""The desks of a hub: each turns one room's functions into methods that open their own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from omo_core.allocation import SourcingPolicy
from omo_core.hub.aio import through_combiner
from omo_core.hub.availability_desk import AvailabilityDesk
from omo_core.hub.desk import Desk
from omo_core.hub.goods_desk import GoodsDesk
from omo_core.hub.promise_desk import PromiseDesk
from omo_core.hub.sourcing_desk import SourcingDesk  # noqa: F401 - one of the desks
from omo_core.inventory import (
    expire_holds,
    holds_of,
)
from omo_core.inventory.pool import Asked, apply_asked, asked, mismatch_of
from omo_core.model.errors import DuplicateKeyMismatch, InvalidInput
from omo_core.model.fulfilment import (
    AcceptOffer,
    CollectFulfilment,
    FulfilmentAnswer,
    FulfilmentCommand,
    FulfilmentOrder,
    OrderState,
    PlacedOrder,
    ReadyFulfilment,
    RejectOffer,
    ShipFulfilment,
    ShippedParcel,
)
from omo_core.model.network import Network
from omo_core.model.orders import Order
from omo_core.model.stock import (
    CounterSale,
    Demand,
    Hold,
    HoldRequest,
    PlaceHolds,
    Receive,
    SetSafety,
    StockAnswer,
)
from omo_core.model.stock_commands import StockCommand
from omo_core.orders import (
    CancelOrder,
    OrderReleased,
    ReleaseOrder,
    apply_fulfilment,
    cancel_orders,
    find_orders,
    list_orders,
    open_fulfilments,
    place_orders,
    read_order,
    release_orders,
    resource_displaced,
)
from omo_core.storage.catalogue import NetworkSaved, read_network, save_network
from omo_core.storage.transaction import Transaction

if TYPE_CHECKING:
    from omo_core.hub.hub import OrderHub


class NetworkDesk(Desk):
    """Nodes, items and the sourcing policy of the pool."""

    def load(self, source: Network | str | Path, *, tx: Transaction | None = None) -> NetworkSaved:
        """Add and change nodes and items from a `Network` or a network document's path; twice is once.

        Raises `InvalidInput` with the place in the document, and then nothing was loaded.
        """
        network = source if isinstance(source, Network) else read_network_file(Path(source))
        SourcingPolicy.load(network.policy)  # a policy that nobody could source by must not get in
        return self._hub.run(lambda inner: save_network(inner, network), tx)

    def current(self, *, items: bool = False, tx: Transaction | None = None) -> Network:
        """The pool's network as it stands, with its items only where asked for."""
        return self._hub.run(lambda inner: read_network(inner, items=items), tx, read_only=True)


class StockDesk(GoodsDesk, PromiseDesk, AvailabilityDesk):
    """The stock pool: goods come, are promised, and go."""

    def __init__(self, hub: OrderHub) -> None:
        super().__init__(hub)
        self._apply_each = self._answers

    def apply_many(self, commands: Sequence[StockCommand], *, tx: Transaction | None = None) -> list[StockAnswer]:
        """Many commands in one transaction, in the order given, with one answer each.

        Orders whose promised goods a counter sale took are sourced anew in the same transaction.
        """
        return self._hub.run(lambda inner: self._resourced(inner, [asked(command) for command in commands]), tx)

    @through_combiner
    def apply(self, command: StockCommand, *, tx: Transaction | None = None) -> StockAnswer:
        """One command; raises `DuplicateKeyMismatch` for a key used for another.

        Commands of many threads share a transaction where the hub combines them; each is answered once it is committed.
        """
        return self._do(self._apply_each, asked(command), tx, _lines(command))

    def submit(self, command: StockCommand) -> Future[StockAnswer]:
        """`apply` without waiting: the future has the answer, or the exception, once it is committed.

        Cancelling it takes the command back where its batch has not begun. Raises `Overloaded` where too many wait.
        """
        return self._submit(self._apply_each, asked(command), _lines(command))

    def _answers(self, tx: Transaction, commands: Sequence[Asked]) -> list[StockAnswer | DuplicateKeyMismatch]:
        answers = self._resourced(tx, commands)
        return [mismatch_of(one.command, answer) or answer for one, answer in zip(commands, answers, strict=True)]

    def _resourced(self, tx: Transaction, commands: Sequence[Asked]) -> list[StockAnswer]:
        answers = apply_asked(tx, commands)
        displaced = [one for answer in answers for one in answer.displaced]
        if displaced:
            resource_displaced(tx, displaced, self._hub.context(tx))
        return answers

    @through_combiner
    def receive(
        self, *, node: str, sku: str, quantity: int, key: str, scope: str = "default", tx: Transaction | None = None
    ) -> StockAnswer:
        """Goods of one item arrived at a node, in base units."""
        lines = (Demand(sku=sku, node=node, quantity=quantity),)
        return self.apply(Receive(key=key, scope=scope, lines=lines), tx=tx)

    @through_combiner
    def counter_sale(
        self, *, node: str, sku: str, quantity: int, key: str, scope: str = "default", tx: Transaction | None = None
    ) -> StockAnswer:
        """A till sold so many units; never refused for want of stock."""
        lines = (Demand(sku=sku, node=node, quantity=quantity),)
        return self.apply(CounterSale(key=key, scope=scope, lines=lines), tx=tx)

    @through_combiner
    def set_safety(
        self, *, node: str, sku: str, quantity: int, key: str, scope: str = "default", tx: Transaction | None = None
    ) -> StockAnswer:
        """Keep so many units of an item at a node out of what is promised."""
        return self.apply(SetSafety(key=key, scope=scope, sku=sku, node=node, quantity=quantity), tx=tx)

    @through_combiner
    def hold(
        self,
        lines: Sequence[HoldRequest],
        *,
        key: str,
        scope: str = "default",
        expires_at: datetime | None = None,
        channel: str | None = None,
        tx: Transaction | None = None,
    ) -> StockAnswer:
        """Hold every line or none, for a channel's quota where it has one."""
        command = PlaceHolds(key=key, scope=scope, lines=tuple(lines), expires_at=expires_at, channel=channel)
        return self.apply(command, tx=tx)

    def hold_many(
        self,
        requests: Mapping[str, Sequence[HoldRequest]],
        *,
        scope: str = "default",
        expires_at: datetime | None = None,
        tx: Transaction | None = None,
    ) -> dict[str, StockAnswer]:
        """Many holds in one transaction: key → lines, each key's every line or none; one answer a key, in their order."""
        commands = [
            PlaceHolds(key=key, scope=scope, lines=tuple(lines), expires_at=expires_at)
            for key, lines in requests.items()
        ]
        return dict(zip(requests, self.apply_many(commands, tx=tx), strict=True))

    def expire(self, *, limit: int = 1_000, tx: Transaction | None = None) -> list[Hold]:
        """Give back what placed holds past their time still hold; call it from a timer."""
        return self._hub.run(lambda inner: expire_holds(inner, limit=limit), tx)

    def holds_of(self, owners: Sequence[str], *, tx: Transaction | None = None) -> list[Hold]:
        """Every hold of these owners (orders' ids, or the callers' own)."""
        return self._hub.run(lambda inner: holds_of(inner, owners), tx, read_only=True)


class OrdersDesk(Desk):
    """Orders: placed, cancelled, looked up."""

    def __init__(self, hub: OrderHub) -> None:
        super().__init__(hub)
        self._place = self._offered
        self._place_unoffered = self._unoffered
        self._release = self._released

    @through_combiner
    def place(self, order: Order, *, offer: bool = True, tx: Transaction | None = None) -> PlacedOrder:
        """Take one order in, hold goods at the chosen nodes and offer them the work; twice is once."""
        return self._do(self._place if offer else self._place_unoffered, order, tx, len(order.lines))

    def submit(self, order: Order, *, offer: bool = True) -> Future[PlacedOrder]:
        """`place` without waiting: the future has the answer, or the exception, once it is committed."""
        return self._submit(self._place if offer else self._place_unoffered, order, len(order.lines))

    def _offered(self, tx: Transaction, orders: Sequence[Order]) -> list[PlacedOrder]:
        return place_orders(tx, orders, self._hub.context(tx))

    def _unoffered(self, tx: Transaction, orders: Sequence[Order]) -> list[PlacedOrder]:
        return place_orders(tx, orders, self._hub.context(tx), offer=False)

    def place_many(
        self, orders: Sequence[Order], *, offer: bool = True, tx: Transaction | None = None
    ) -> list[PlacedOrder]:
        """Many orders in one transaction, sourced together in the order given; one answer each.

        `offer=False` holds goods provisionally and leaves the choice to the next `hub.sourcing.run_wave`.
        """
        place = self._place if offer else self._place_unoffered
        return self._hub.run(lambda inner: place(inner, orders), tx)

    @through_combiner
    def cancel(self, channel: str, external_id: str, *, tx: Transaction | None = None) -> PlacedOrder:
        """Cancel what has not left; an order that has not come yet is remembered as cancelled."""
        return self._do(cancel_orders, CancelOrder(channel=channel, external_id=external_id), tx)

    def cancel_many(self, cancellations: Sequence[CancelOrder], *, tx: Transaction | None = None) -> list[PlacedOrder]:
        """Many cancellations in one transaction."""
        return self._hub.run(lambda inner: cancel_orders(inner, cancellations), tx)

    @through_combiner
    def release(
        self, channel: str, external_id: str, *, key: str, offer: bool = True, tx: Transaction | None = None
    ) -> OrderReleased:
        """Let an order go that its channel holds: it is offered now, or with `offer=False` by the next wave."""
        command = ReleaseOrder(key=key, channel=channel, external_id=external_id, offer=offer)
        return self._do(self._release, command, tx)

    def _released(self, tx: Transaction, commands: Sequence[ReleaseOrder]) -> list[OrderReleased]:
        return release_orders(tx, commands, self._hub.context(tx))

    def document(self, channel: str, external_id: str, *, tx: Transaction | None = None) -> Order | None:
        """The order as its channel told it last, with `hold_reason`; None where only its cancellation came, or nothing."""
        return self._hub.run(lambda inner: read_order(inner, channel, external_id), tx, read_only=True)

    def find(self, channel: str, external_id: str, *, tx: Transaction | None = None) -> PlacedOrder | None:
        """The order of this identity, or None."""
        return self._hub.run(lambda inner: find_orders(inner, [(channel, external_id)])[0], tx, read_only=True)

    def page(
        self, *, state: OrderState | None = None, after: str = "", limit: int = 100, tx: Transaction | None = None
    ) -> list[PlacedOrder]:
        """A page of orders, oldest first; go on with `after=` the last one's id."""
        return self._hub.run(
            lambda inner: list_orders(inner, state=state, after=after, limit=limit), tx, read_only=True
        )


class FulfilmentDesk(Desk):
    """What nodes answer to what they were offered."""

    def __init__(self, hub: OrderHub) -> None:
        super().__init__(hub)
        self._apply = self._answers

    def apply_many(
        self, commands: Sequence[FulfilmentCommand], *, tx: Transaction | None = None
    ) -> list[FulfilmentAnswer]:
        """Many answers in one transaction, in the order given; rejected work is sourced elsewhere at once."""
        return self._hub.run(lambda inner: self._apply(inner, commands), tx)

    @through_combiner
    def apply(self, command: FulfilmentCommand, *, tx: Transaction | None = None) -> FulfilmentAnswer:
        """One answer of a node; raises `DuplicateKeyMismatch` for a key used for another."""
        return self._do(self._apply, command, tx)

    def submit(self, command: FulfilmentCommand) -> Future[FulfilmentAnswer]:
        """`apply` without waiting: the future has the answer, or the exception, once it is committed."""
        return self._submit(self._apply, command)

    def _answers(self, tx: Transaction, commands: Sequence[FulfilmentCommand]) -> list[FulfilmentAnswer]:
        return apply_fulfilment(tx, commands, self._hub.context(tx))

    @through_combiner
    def accept(self, fulfilment: str, *, key: str, tx: Transaction | None = None) -> FulfilmentAnswer:
        """The node takes the work."""
        return self.apply(AcceptOffer(key=key, fulfilment=fulfilment), tx=tx)

    @through_combiner
    def reject(self, fulfilment: str, *, reason: str, key: str, tx: Transaction | None = None) -> FulfilmentAnswer:
        """The node says no; the order is sourced again without it."""
        return self.apply(RejectOffer(key=key, fulfilment=fulfilment, reason=reason), tx=tx)

    @through_combiner
    def ship(
        self,
        fulfilment: str,
        *,
        key: str,
        tracking: str | None = None,
        carrier: str | None = None,
        parcels: Sequence[ShippedParcel] = (),
        tx: Transaction | None = None,
    ) -> FulfilmentAnswer:
        """The goods left, in one parcel or in several; `ChannelDesk.report` tells the channel."""
        command = ShipFulfilment(
            key=key, fulfilment=fulfilment, tracking=tracking, carrier=carrier, parcels=tuple(parcels)
        )
        return self.apply(command, tx=tx)

    @through_combiner
    def ready(self, fulfilment: str, *, key: str, tx: Transaction | None = None) -> FulfilmentAnswer:
        """The goods wait for their buyer at the node that has accepted the work."""
        return self.apply(ReadyFulfilment(key=key, fulfilment=fulfilment), tx=tx)

    @through_combiner
    def collect(self, fulfilment: str, *, key: str, tx: Transaction | None = None) -> FulfilmentAnswer:
        """The buyer, or the node's courier, has the goods in hand."""
        return self.apply(CollectFulfilment(key=key, fulfilment=fulfilment), tx=tx)

    def open(
        self, *, node: str | None = None, after: str = "", limit: int = 100, tx: Transaction | None = None
    ) -> list[FulfilmentOrder]:
        """A page of offered and accepted work, of one node or of all."""
        return self._hub.run(
            lambda inner: open_fulfilments(inner, node=node, after=after, limit=limit), tx, read_only=True
        )


def read_network_file(path: Path) -> Network:
    """A network document; `InvalidInput` names the file and the first place that is wrong."""
    try:
        return Network.model_validate_json(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"cannot read the network file {path}: {error.strerror}; check the path") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise InvalidInput(f"{path}: {place}: {first['msg']}; correct it and load the file again") from error


def _lines(command: StockCommand) -> int:
    """How long a command is, whatever its verb calls its lines."""
    return sum(len(value) for value in vars(command).values() if isinstance(value, tuple)) or 1
