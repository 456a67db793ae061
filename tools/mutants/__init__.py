"""The ways to break the stock pool that the test suite must notice, and the means to try them one by one."""
