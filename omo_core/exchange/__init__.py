"""Exchange: the traffic with channels; here its intake: verify, remember, read, or park with a reason."""

from omo_core.exchange.intake_loop import Delivery, Received, receive_many

__all__ = ["Delivery", "Received", "receive_many"]
