"""Which channels there are: adapters found by entry point, the built-in ones always among them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Final

from pydantic import ValidationError

from omo_core.channels.port import ChannelAdapter
from omo_core.model.errors import InvalidInput, UnknownChannel
from omo_core.model.values import Value

GROUP: Final = "omo_core.channels"
"""Entry points of this group name an adapter class: `myshop = "myshop.omo:MyShopAdapter"`."""

_BUILT_IN: Final[Mapping[str, str]] = {
    "amazon": "omo_core.channels.amazon:AmazonAdapter",
    "bigcommerce": "omo_core.channels.bigcommerce:BigCommerceAdapter",
    "csv": "omo_core.channels.csv_table:CsvAdapter",
    "douyin": "omo_core.channels.douyin:DouyinAdapter",
    "ebay": "omo_core.channels.ebay:EbayAdapter",
    "jd": "omo_core.channels.jd:JdAdapter",
    "meituan": "omo_core.channels.meituan:MeituanAdapter",
    "native": "omo_core.channels.native:NativeAdapter",
    "shopee": "omo_core.channels.shopee:ShopeeAdapter",
    "shopify": "omo_core.channels.shopify:ShopifyAdapter",
    "square": "omo_core.channels.square:SquareAdapter",
    "taobao": "omo_core.channels.taobao:TaobaoAdapter",
    "wechat_shop": "omo_core.channels.wechat_shop:WechatShopAdapter",
    "woocommerce": "omo_core.channels.woocommerce:WooCommerceAdapter",
    "xiaohongshu": "omo_core.channels.xiaohongshu:XiaohongshuAdapter",
    "youzan": "omo_core.channels.youzan:YouzanAdapter",
}


def channel_names() -> tuple[str, ...]:
    """The names `adapter` answers to, sorted."""
    return tuple(sorted(_known()))


def adapter(name: str, config: Value | Mapping[str, Any] | None = None) -> ChannelAdapter:
    """The adapter `name`, built from its config: the config value itself, or a mapping of its fields.

    Raises `UnknownChannel`, and `InvalidInput` where the config does not fit.
    """
    kind: Any = class_of(name)
    built: ChannelAdapter = kind(_config(name, kind, config))
    return built


def class_of(name: str) -> type[ChannelAdapter]:
    """The class of the adapter `name`, which says what it can do; raises `UnknownChannel`."""
    target = _known().get(name)
    if target is None:
        raise UnknownChannel(f"no channel {name!r} is installed; use one of: {', '.join(channel_names())}")
    found: type[ChannelAdapter] = _load(target)
    return found


def dialect_of(built: ChannelAdapter) -> str | None:
    """The registered name of an adapter's class; None where it is of nobody's registering."""
    kind = type(built)
    target = f"{kind.__module__}:{kind.__qualname__}"
    return next((name for name, known in _known().items() if known == target), None)


def _config(name: str, kind: type[ChannelAdapter], config: Value | Mapping[str, Any] | None) -> Value:
    config_type: type[Value] = kind.config_type
    if isinstance(config, config_type):
        return config
    if isinstance(config, Value):
        raise InvalidInput(f"channel {name} takes a {config_type.__name__}, not a {type(config).__name__}")
    try:
        # Not strict: configuration files write tuples as lists.
        return config_type.model_validate(dict(config or {}), strict=False)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"the configuration of channel {name} cannot be used: {place}: {first['msg']}") from None


@cache
def _known() -> Mapping[str, str]:
    found = {point.name: point.value for point in entry_points(group=GROUP)}
    return {**found, **_BUILT_IN}


@cache
def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)
