"""Exchange: the traffic with channels; here its intake: verify, remember, read, or park with a reason."""

from omo_core.exchange.intake_loop import Received, SignedMessage, receive_many

__all__ = ["Received", "SignedMessage", "receive_many"]
