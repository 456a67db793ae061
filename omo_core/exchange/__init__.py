"""Exchange: the traffic with channels; here its intake: verify, remember, read, or park with a reason."""

from omo_core.exchange.intake_loop import ReadMessage, Received, SignedMessage, read_messages, remember

__all__ = ["ReadMessage", "Received", "SignedMessage", "read_messages", "remember"]
