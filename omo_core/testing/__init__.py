"""Shipped for the tests of everyone who builds on us: doubles, contract suites and a private PostgreSQL server."""
