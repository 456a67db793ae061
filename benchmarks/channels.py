"""How long it takes to read what channels send, and to tell eight of them what can be sold of 100,000 items each."""

from __future__ import annotations

from benchmarks import channels_parse, channels_publish
from benchmarks.harness import Context


def run(context: Context) -> None:
    """Parse, then publish.

    `publish_100k_s` is a round of all eight channels after 2,000 items were sold, from the question to the database to
    the answer of the last channel; the first publication, of all 800,000 numbers, stands beside it.
    """
    context.take({"parse": channels_parse.measure, "publish": channels_publish.measure})
