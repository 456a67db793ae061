"""Channels: adapters that translate bytes into events and orders, and orders' wishes into requests; no I/O."""
