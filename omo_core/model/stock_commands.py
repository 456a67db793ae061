"""All commands that the stock pool takes, as one union."""

from __future__ import annotations

from omo_core.model.goods import GoodsCommand
from omo_core.model.promises import PromiseCommand
from omo_core.model.stock import (
    ConfirmHolds,
    CounterSale,
    IssueHolds,
    PlaceHolds,
    Receive,
    ReleaseHolds,
    ReplaceHolds,
    SetSafety,
)

StockCommand = (
    Receive
    | CounterSale
    | SetSafety
    | PlaceHolds
    | ReplaceHolds
    | ConfirmHolds
    | ReleaseHolds
    | IssueHolds
    | PromiseCommand
    | GoodsCommand
)
