"""Exchange: the traffic with channels. The intake verifies, remembers and acts on messages, fetches what they only name,
pulls what they never told, and parks with a reason what cannot be used. Publication tells channels what can be sold,
reporting what became of their orders.

`omo_core.exchange.transport` sends requests; it is not imported here, because it needs the extra `http`.
"""

from omo_core.exchange.fetching import Calls, Fetched, fetch_due, replay
from omo_core.exchange.health import ChannelHealth, health
from omo_core.exchange.intake import Intake, Taken
from omo_core.exchange.intake_loop import ReadMessage, Received, SignedMessage, read_messages, remember
from omo_core.exchange.publication import Listing, NotTaken, Publication, Published, Sends
from omo_core.exchange.reconciliation import Reconciled, Reconciliation
from omo_core.exchange.reporting import NotTold, Reported, Reporting

__all__ = [
    "Calls",
    "ChannelHealth",
    "Fetched",
    "Intake",
    "Listing",
    "NotTaken",
    "NotTold",
    "Publication",
    "Published",
    "ReadMessage",
    "Received",
    "Reconciled",
    "Reconciliation",
    "Reported",
    "Reporting",
    "Sends",
    "SignedMessage",
    "Taken",
    "fetch_due",
    "health",
    "read_messages",
    "remember",
    "replay",
]
