"""Writers: canonical values as the signed bytes a channel would send, for tests, benchmarks and demos."""

from omo_core.testing.writers.amazon import write_amazon_notification, write_amazon_order
from omo_core.testing.writers.bigcommerce import write_bigcommerce_event, write_bigcommerce_order
from omo_core.testing.writers.csv import write_csv_orders
from omo_core.testing.writers.douyin import write_douyin_order, write_douyin_push, write_douyin_refund
from omo_core.testing.writers.ebay import write_ebay_notification, write_ebay_order
from omo_core.testing.writers.jd import write_jd_order
from omo_core.testing.writers.meituan import (
    write_meituan_cancellation,
    write_meituan_order,
    write_meituan_push,
    write_meituan_refund,
)
from omo_core.testing.writers.native import (
    write_native_batch,
    write_native_cancellation,
    write_native_counter_sale,
    write_native_order,
    write_native_refund,
)
from omo_core.testing.writers.shopee import write_shopee_order, write_shopee_push
from omo_core.testing.writers.shopify import write_shopify_order, write_shopify_refund
from omo_core.testing.writers.square import write_square_event, write_square_order
from omo_core.testing.writers.taobao import write_taobao_message, write_taobao_order
from omo_core.testing.writers.wechat_shop import (
    write_wechat_shop_notice,
    write_wechat_shop_order,
    write_wechat_shop_refund,
)
from omo_core.testing.writers.woocommerce import write_woocommerce_order, write_woocommerce_refunds
from omo_core.testing.writers.xiaohongshu import write_xiaohongshu_order
from omo_core.testing.writers.youzan import write_youzan_document, write_youzan_notice, write_youzan_order

__all__ = [
    "write_amazon_notification",
    "write_amazon_order",
    "write_bigcommerce_event",
    "write_bigcommerce_order",
    "write_csv_orders",
    "write_douyin_order",
    "write_douyin_push",
    "write_douyin_refund",
    "write_ebay_notification",
    "write_ebay_order",
    "write_jd_order",
    "write_meituan_cancellation",
    "write_meituan_order",
    "write_meituan_push",
    "write_meituan_refund",
    "write_native_batch",
    "write_native_cancellation",
    "write_native_counter_sale",
    "write_native_order",
    "write_native_refund",
    "write_shopee_order",
    "write_shopee_push",
    "write_shopify_order",
    "write_shopify_refund",
    "write_square_event",
    "write_square_order",
    "write_taobao_message",
    "write_taobao_order",
    "write_wechat_shop_notice",
    "write_wechat_shop_order",
    "write_wechat_shop_refund",
    "write_woocommerce_order",
    "write_woocommerce_refunds",
    "write_xiaohongshu_order",
    "write_youzan_document",
    "write_youzan_notice",
    "write_youzan_order",
]
