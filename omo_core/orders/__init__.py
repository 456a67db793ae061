"""Orders: what happens to an order from its arrival to the last unit leaving a node.

The story. `intake` takes canonical orders: one row per (channel, external id), versions only grow, a cancellation that
comes before its order is remembered; `holding` keeps goods for orders that are not to be sent yet. `sourcing` takes
waiting orders, builds one allocation problem, solves it, holds the chosen stock and offers fulfilment orders to the
nodes. `fulfilment` is what nodes answer: accept, reject (the order finds another way), make ready, ship, collect; what
channels are to hear of it, `parcels` writes down. `reevaluation` decides offered work again. `displacement` is what
happens when a counter sale takes goods that were promised.

Every function takes the transaction first and works on many orders at once; each loads them into an `OrderBook`,
changes the book, and saves it in the same transaction as the stock commands and events that go with it.
"""

from omo_core.orders.deciding import Solver
from omo_core.orders.displacement import resource_displaced
from omo_core.orders.fulfilment import apply_fulfilment
from omo_core.orders.holding import OrderReleased, ReleaseOrder, release_orders
from omo_core.orders.intake import CancelOrder, cancel_orders, place_orders
from omo_core.orders.reevaluation import Reevaluate, Reevaluated, reevaluate
from omo_core.orders.retrying import retry_short
from omo_core.orders.sourcing import SourcingContext, answer
from omo_core.orders.tracking import find_orders, list_orders, open_fulfilments, read_order
from omo_core.orders.wave import WaveResult, look, record_wave, run_wave
from omo_core.orders.waves import Solve

__all__ = [
    "CancelOrder",
    "OrderReleased",
    "Reevaluate",
    "Reevaluated",
    "ReleaseOrder",
    "Solve",
    "Solver",
    "SourcingContext",
    "WaveResult",
    "answer",
    "apply_fulfilment",
    "cancel_orders",
    "find_orders",
    "list_orders",
    "look",
    "open_fulfilments",
    "place_orders",
    "read_order",
    "record_wave",
    "reevaluate",
    "release_orders",
    "resource_displaced",
    "retry_short",
    "run_wave",
]
