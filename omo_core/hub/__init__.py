"""The façade: one hub opens one pool of one database and wires the rooms together; the only composition root."""

from omo_core.hub.hub import OrderHub

__all__ = ["OrderHub"]
