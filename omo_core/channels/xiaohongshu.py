"""Xiaohongshu's shop (小红书): order documents pulled through one gateway; amounts in fen, times in milliseconds.

Sources: https://open.xiaohongshu.com/document/developer/file/39 (signature) and /40 (gateway), the API documentation
at https://open.xiaohongshu.com/document/api, and its SDK. The published example of the signature hides its inputs, so
that the signature follows the documentation and is unproven. Pushes are not documented there: changes are pulled.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import ClassVar

from omo_core.channels.cursor import Cursor
from omo_core.channels.dialect import Dialect, sha256_of
from omo_core.channels.fields import optional_unix_ms, units
from omo_core.channels.intents import Answer, Intent, ListChanges, Page, Reference, Request, Response
from omo_core.channels.xiaohongshu_order import XiaohongshuConfig, read_order
from omo_core.channels.xiaohongshu_requests import CAPABILITIES, following, make, read_answer, signed
from omo_core.model.errors import UnreadableBody
from omo_core.model.orders import Order
from omo_core.model.refusals import Refusal
from omo_core.model.values import Value

__all__ = ["XiaohongshuAdapter", "XiaohongshuConfig"]


class XiaohongshuAdapter(Dialect[XiaohongshuConfig]):
    """Reads one shop's order documents."""

    config_type: ClassVar[type[Value]] = XiaohongshuConfig
    capabilities = CAPABILITIES

    def parse_order(self, body: bytes, *more: bytes) -> Order:
        """Read the answer of order.getOrderDetail, or a bare order; it is never split."""
        del more
        return read_order(_order(self.document(body)), self.config, sha256_of(body))

    def make(self, intent: Intent) -> tuple[Request, ...] | Refusal:
        """See `ChannelAdapter.requests`."""
        return make(intent, self.channel)

    def sign(self, request: Request, *, now: datetime, token: str | None = None) -> Request:
        """The call with the gateway's parameters beside its own, and the signature over the former."""
        return signed(request, self.config, now=now, token=token)

    def read_answer(self, intent: Intent, request: Request, response: Response) -> Answer:
        """By `success` and the code beside it, of the gateway and of the call inside it."""
        del intent
        return read_answer(request, response)

    def read_page(self, intent: ListChanges, body: bytes) -> Page:
        """One page of order.getOrderList: the ids of the orders that changed."""
        data = _data(self.document(body))
        rows = tuple(
            row.build(Reference, external_id=row.identifier("orderId"), updated_at=optional_unix_ms(row, "updateTime"))
            for row in data.children("orderList")
        )
        pages = units(data, "maxPageNo", least=0) if data.has("maxPageNo") else 1
        if pages > 100:
            data.fail("maxPageNo", f"is {pages}, over the 100 pages it gives", "ask for a shorter window")
        return data.build(Page, references=rows, following=following(intent, pages))


def _data(document: Cursor) -> Cursor:
    """What an answer holds; refuse the answer that says what went wrong instead."""
    if not document.has("data"):
        code, said = document.fields.get("error_code"), document.fields.get("error_msg")
        raise UnreadableBody(
            f"$.data is missing: the platform answered error_code {str(code)[:20]!r}, {str(said)[:200]!r}; ask again, or"
            " send the answer's whole document",
            path="$.data",
        )
    return document.child("data")


def _order(document: Cursor) -> Cursor:
    return document if document.has("skuList") else next(_inside(document))


def _inside(document: Cursor) -> Iterator[Cursor]:
    """The order in `data`, perhaps one level deeper."""
    data = _data(document)
    yield data if data.has("orderId") or not data.has("data") else data.child("data")
