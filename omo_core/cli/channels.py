"""`omo channels`, `omo parked` and `omo replay`: how channels stand, what could not be used, and trying it again."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from omo_core.cli.exits import FINDINGS, OK, answering
from omo_core.cli.options import AsJson, DatabaseUrl, Pool, Schema
from omo_core.cli.terminal import print_json, say
from omo_core.model.errors import InvalidInput

if TYPE_CHECKING:
    from omo_core.channels.port import ChannelAdapter
    from omo_core.exchange import ChannelHealth, Taken
    from omo_core.hub import OrderHub
    from omo_core.storage.inbox import Parked

OneChannel = Annotated[str | None, typer.Option("--channel", metavar="NAME", help="Only this channel.")]


@answering
def channels(database: DatabaseUrl, pool: Pool = "default", schema: Schema = None, json: AsJson = False) -> int:
    """Print how each channel stands: messages parked or waiting, what it was not told, how far pulling is behind."""
    with _hub(database, pool, schema) as hub:
        found = hub.channels.health()
    if json:
        print_json({"channels": [_plain(asdict(one)) for one in found]})
    elif not found:
        say("Nothing waits to be read or told, and no channel was pulled yet.")
    else:
        _print_health(found)
    return OK


@answering
def parked(
    database: DatabaseUrl,
    channel: OneChannel = None,
    after: Annotated[
        str | None, typer.Option("--after", metavar="PLACE", help="Go on behind it, as the page before said.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=10_000, help="Messages on a page.")] = 100,
    body: Annotated[
        str | None,
        typer.Option("--body", metavar="KEY", help="Print one message's bytes, personal data and all, and no list."),
    ] = None,
    pool: Pool = "default",
    schema: Schema = None,
    json: AsJson = False,
) -> int:
    """List messages that were kept and could not be used, each with its reason."""
    from omo_core.storage import inbox

    if body is not None and channel is None:
        raise InvalidInput("--body names a message of one channel; add --channel")
    with _hub(database, pool, schema) as hub:
        if body is not None and channel is not None:
            sys.stdout.buffer.write(hub.run(lambda tx: inbox.body(tx, channel, body), read_only=True))
            return OK
        place = _place(after, channel)
        found = hub.run(lambda tx: inbox.parked(tx, after=place, limit=limit + 1), read_only=True)
    page = [one for one in found if channel is None or one.channel == channel]
    following = f"{page[limit - 1].channel}/{page[limit - 1].event_key}" if len(page) > limit else None
    if json:
        print_json({"parked": [_plain(asdict(one)) for one in page[:limit]], "next": following})
    else:
        _print_parked(page[:limit], following)
    return OK


@answering
def replay(
    database: DatabaseUrl,
    channels: Annotated[
        Path,
        typer.Option("--channels", metavar="FILE", help="The channels and their adapters, as for `omo run`."),
    ],
    channel: OneChannel = None,
    key: Annotated[
        str | None, typer.Option("--key", metavar="KEY", help="Only this message; else all that are parked.")
    ] = None,
    pool: Pool = "default",
    schema: Schema = None,
    json: AsJson = False,
) -> int:
    """Try parked messages again, after a fix; exit code 1 if one of them still cannot be used."""
    from omo_core.batch.session import read_channels

    if key is not None and channel is None:
        raise InvalidInput("--key names a message of one channel; add --channel")
    adapters = read_channels(channels)
    with _hub(database, pool, schema, adapters) as hub:
        names = sorted(adapters) if channel is None else [channel]
        done = [(name, taken) for name in names for taken in hub.channels[name].replay(key, limit=1_000_000)]
    stuck = sum(taken.state == "parked" for _, taken in done)
    if json:
        print_json({"replayed": [_replayed(name, taken) for name, taken in done]})
    else:
        _print_replayed(done, stuck)
    return FINDINGS if stuck else OK


def _hub(database: str, pool: str, schema: str | None, adapters: dict[str, ChannelAdapter] | None = None) -> OrderHub:
    from omo_core.cli.databases import must_exist
    from omo_core.hub import OrderHub
    from omo_core.storage.database import Database

    must_exist(database)
    return OrderHub(Database.open(database, schema=schema, migrate="never"), pool=pool, channels=adapters)


def _place(after: str | None, channel: str | None) -> tuple[str, str] | None:
    """Behind which (channel, event key) a page begins."""
    if after is None:
        return None if channel is None else (channel, "")
    name, separator, key = after.partition("/")
    if not separator or (channel is not None and name != channel):
        raise InvalidInput(f"--after {after} is no place of this list; give what the page before ended with")
    return name, key


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: _instant(value) if isinstance(value, datetime) else value for name, value in fields.items()}


def _instant(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _print_health(found: Iterable[ChannelHealth]) -> None:
    from omo_core.cli.tables import print_table
    from omo_core.cli.terminal import console
    from omo_core.report.wording import number

    rows = (
        (
            one.channel,
            number(one.parked),
            number(one.waiting),
            _instant(one.oldest_at) if one.oldest_at else "",
            number(one.to_report),
            number(one.reports_parked),
            "never" if one.lag_s is None else str(timedelta(seconds=round(one.lag_s))),
        )
        for one in found
    )
    print_table(console(), ("Channel", "parked", "to fetch", "oldest came", "to tell", "refused", "behind by"), rows)


def _print_parked(page: list[Parked], following: str | None) -> None:
    if not page:
        say("No message is parked.")
    for one in page:
        say(f"{one.channel}/{one.event_key} ({one.topic or 'unread'}, {_instant(one.received_at)})")
        say(f"  {one.reason_code}: {one.reason}")
    if following:
        say(f"There are more: --after {following}")


def _replayed(name: str, taken: Taken) -> dict[str, Any]:
    return {
        "channel": name,
        "event_key": taken.event_key,
        "state": taken.state,
        "reason_code": taken.reason_code,
        "reason": taken.reason,
    }


def _print_replayed(done: list[tuple[str, Taken]], stuck: int) -> None:
    if not done:
        say("No message of these channels is parked.")
        return
    for name, taken in done:
        if taken.state == "parked":
            say(f"{name}/{taken.event_key}\n  {taken.reason_code}: {taken.reason}")
    waiting = sum(taken.state == "waiting" for _, taken in done)
    say(f"{len(done) - waiting - stuck:,} used, {waiting:,} to fetch, {stuck:,} still parked.")
