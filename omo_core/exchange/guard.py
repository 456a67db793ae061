"""Connections to public addresses only: no request of a channel reaches into the host's own network.

An address in a configuration, or a name that resolves to one, may point inwards (server-side request forgery). Names
are resolved here, every address found must be public, and the connection goes to the address that was checked, so that
a second look-up cannot give another one. Redirects are never followed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Final

import httpcore
import httpx

from omo_core.model.errors import ForbiddenAddress

_WRONGS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (httpcore.ConnectTimeout, httpx.ConnectTimeout),
    (httpcore.TimeoutException, httpx.ReadTimeout),
    (httpcore.ConnectError, httpx.ConnectError),
    (httpcore.NetworkError, httpx.ReadError),
    (httpcore.ProtocolError, httpx.RemoteProtocolError),
)


def is_public(address: str) -> bool:
    """Whether an IP address is of the public internet, also where it is an IPv4 address written as IPv6."""
    found = ip_address(address.partition("%")[0])
    inner = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    return (
        found.is_global and not found.is_multicast and (inner is None or (inner.is_global and not inner.is_multicast))
    )


class GuardedBackend(httpcore.NetworkBackend):
    """Opens sockets to public addresses; `inside` names hosts of the own network that may be reached all the same."""

    def __init__(self, inside: Iterable[str] = ()) -> None:
        self._inside = frozenset(inside)
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the host; raises `ForbiddenAddress` where any of its addresses is not public."""
        try:
            found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except OSError as error:
            raise httpcore.ConnectError(f"the name {host} does not resolve: {error}") from error
        if host not in self._inside:
            check_addresses(host, found)
        for address in found[:-1]:
            try:
                return self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue  # many hosts have an IPv6 address that this network does not reach
        return self._backend.connect_tcp(found[-1], port, timeout, local_address, socket_options)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None
    ) -> httpcore.NetworkStream:
        """Refuse: channels are not on this machine."""
        del timeout, socket_options
        raise ForbiddenAddress(f"the socket {path} is on this machine; channels are reached by name")

    def sleep(self, seconds: float) -> None:
        """Wait, as the pool of connections asks."""
        self._backend.sleep(seconds)


def check_addresses(host: str, addresses: Iterable[str]) -> None:
    """Raise `ForbiddenAddress` unless every address of a host is public."""
    inwards = [one for one in addresses if not is_public(one)]
    if inwards:
        raise ForbiddenAddress(
            f"{host} has the address {inwards[0]}, which is not of the public internet; correct the channel's address,"
            " or name the host as one of your own network"
        )


class GuardedTransport(httpx.BaseTransport):
    """httpx over connections that `GuardedBackend` opens."""

    def __init__(self, inside: Iterable[str] = (), connections: int = 20) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=connections,
            network_backend=GuardedBackend(inside),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; errors are those of httpx."""
        if not isinstance(request.stream, httpx.SyncByteStream):
            raise TypeError("the guarded transport sends plain requests only")
        url = request.url
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        asked = httpcore.Request(
            request.method,
            target,
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        with _as_httpx():
            answer = self._pool.handle_request(asked)
        stream = answer.stream
        if not isinstance(stream, Iterable):
            raise TypeError("the guarded transport reads plain responses only")
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(stream), extensions=dict(answer.extensions)
        )

    def close(self) -> None:
        """Give up the connections."""
        self._pool.close()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Iterable[bytes]) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        with _as_httpx():
            yield from self._stream

    def close(self) -> None:
        close = getattr(self._stream, "close", None)
        if close is not None:
            close()


@contextmanager
def _as_httpx() -> Iterator[None]:
    try:
        yield
    except tuple(ours for ours, _ in _WRONGS) as error:
        kind = next(theirs for ours, theirs in _WRONGS if isinstance(error, ours))
        raise kind(str(error)) from error
