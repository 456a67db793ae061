from importlib.metadata import EntryPoint

import pytest

from omo_core.channels import registry
from omo_core.channels.native import NativeAdapter, NativeConfig
from omo_core.channels.shopify import ShopifyAdapter, ShopifyConfig
from omo_core.model.errors import InvalidInput, UnknownChannel


def test_the_built_in_channels_are_there() -> None:
    assert {"native", "shopify"} <= set(registry.channel_names())
    assert isinstance(registry.adapter("native"), NativeAdapter)
    shop = registry.adapter("shopify", {"channel": "shopify-tw", "secrets": ["a", "b"], "locations": {"1": "TPE"}})
    assert isinstance(shop, ShopifyAdapter)
    assert shop.channel == "shopify-tw"
    assert registry.adapter("native", NativeConfig(channel="till")).channel == "till"


def test_an_unknown_channel_is_told_the_known_ones() -> None:
    with pytest.raises(UnknownChannel, match=r"no channel 'shopfy' is installed; use one of: .*native.*shopify"):
        registry.adapter("shopfy")


def test_a_configuration_that_does_not_fit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="configuration of channel shopify cannot be used: shop_domain"):
        registry.adapter("shopify", {"shop_domain": "https://shop.myshopify.com"})
    with pytest.raises(InvalidInput, match="cannot be used: secret: Extra inputs"):
        registry.adapter("native", {"secret": "x"})
    with pytest.raises(InvalidInput, match="takes a NativeConfig, not a ShopifyConfig"):
        registry.adapter("native", ShopifyConfig())


def test_a_refused_configuration_does_not_show_its_secrets() -> None:
    with pytest.raises(InvalidInput) as refusal:
        registry.adapter("native", {"secrets": {"hush": "hush"}, "channel": "web"})
    assert "hush" not in str(refusal.value)


def test_installed_packages_add_channels_but_replace_none(monkeypatch: pytest.MonkeyPatch) -> None:
    target = "omo_core.channels.native:NativeAdapter"
    points = [EntryPoint(name, target, registry.GROUP) for name in ("acme", "shopify")]
    registry._known.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
    try:
        assert set(registry.channel_names()) == {"acme", *registry._BUILT_IN}
        assert isinstance(registry.adapter("acme"), NativeAdapter)
        assert isinstance(registry.adapter("shopify"), ShopifyAdapter)
    finally:
        registry._known.cache_clear()
