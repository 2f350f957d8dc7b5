"""What sources that listen have in common: their address, and the TLS they offer."""

from __future__ import annotations

import socket
import ssl
from datetime import timedelta
from typing import Final, Literal, Protocol

from connectors.faults import TlsFilesUnusable
from mappings.formats.values import FileName, parse_address

Tls = Literal["none", "tls", "mtls"]

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


def keep_alive(sock: socket.socket, after: timedelta) -> None:
    """Send small packets at once, and let TCP find out after a silence whether the peer's machine is still there."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, int(after.total_seconds()))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_PROBES)
