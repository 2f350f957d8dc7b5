"""What sources that listen have in common: their address, who may call it, and the TLS they offer."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Literal, Protocol

from connectors.faults import ListenFailed, TlsFilesUnusable
from mappings.formats.values import FileName, parse_address

Tls = Literal["none", "tls", "mtls"]

_TLS_CLOSE_S: Final = 2.0
"""How long a peer may take to say goodbye."""
_KEEPALIVE_INTERVAL_S: Final = 10
_KEEPALIVE_PROBES: Final = 6


class Listening(Protocol):
    """The settings of a source that listens, as far as they are looked at here."""

    @property
    def listen(self) -> str: ...

    @property
    def tls(self) -> Tls: ...

    @property
    def certificate(self) -> FileName: ...

    @property
    def private_key(self) -> FileName: ...

    @property
    def client_ca(self) -> FileName: ...


class Patient(Listening, Protocol):
    """The settings of a source that waits so long for what a caller begins."""

    @property
    def frame_timeout(self) -> timedelta: ...


def check_listening(settings: Listening) -> None:
    """Raise `ValueError`, worded as one line of `lienthong check`, for settings that cannot work."""
    checked_address(settings.listen)
    if settings.tls != "none" and not (settings.certificate and settings.private_key):
        raise ValueError(
            'certificate: TLS needs certificate and private_key — write both files, or tls = "none" in a closed network'
        )
    if settings.tls == "mtls" and not settings.client_ca:
        raise ValueError('client_ca: mtls needs the authority of the senders — write the file, or tls = "tls"')


def checked_address(text: str) -> tuple[str, int]:
    """Read `listen` into host and port."""
    try:
        return parse_address(text)
    except ValueError as exc:
        raise ValueError(f"listen: {exc}") from exc


def address_of(name: object) -> str:
    """Write what a socket says of itself or its peer as `host:port`."""
    if not isinstance(name, tuple):
        return "unknown"
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def server_context(settings: Listening) -> ssl.SSLContext | None:
    """Make what TLS needs, or None where it is switched off; raise `TlsFilesUnusable` for files that do not serve."""
    if settings.tls == "none":
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(settings.certificate, settings.private_key)
        if settings.tls == "mtls":
            context.load_verify_locations(settings.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as exc:
        raise TlsFilesUnusable(where=settings.listen, detail=exc.__class__.__name__) from exc
    return context


async def open_server(settings: Patient, protocol: Callable[[], asyncio.Protocol]) -> asyncio.Server:
    """Open the address; raise `ListenFailed` and `TlsFilesUnusable`."""
    host, port = checked_address(settings.listen)
    context = server_context(settings)
    try:
        return await asyncio.get_running_loop().create_server(
            protocol,
            host,
            port,
            ssl=context,
            ssl_handshake_timeout=settings.frame_timeout.total_seconds() if context else None,
            ssl_shutdown_timeout=_TLS_CLOSE_S if context else None,
        )
    except OSError as exc:
        raise ListenFailed(where=settings.listen, detail=exc.strerror or type(exc).__name__) from exc


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_within(address: str, network: IPv4Network | IPv6Network) -> bool:
    """Tell whether a peer is of a network; an IPv4 address that came by IPv6 is one of IPv4."""
    try:
        place = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(place, IPv6Address) and place.ipv4_mapped is not None:
        place = place.ipv4_mapped
    return place in network


def keep_alive(sock: socket.socket, after: timedelta) -> None:
    """Send small packets at once, and let TCP find out after a silence whether the peer's machine is still there."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(after.total_seconds()))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
