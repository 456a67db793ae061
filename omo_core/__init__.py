"""The order-management core of an online-merge-offline retailer."""
