"""Settings of a DICOM peer that we call, and of a PACS that we ask: where it is, who we are to it, how patient we are.

Kept apart from the client, so that a configuration can be read without loading pynetdicom.

Standard: DICOM PS3.8 §9 (association), PS3.15 §B.9 (TLS)
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Literal

from connectors.faults import PacsTlsUnusable
from connectors.sources._dicom_callers import checked_title
from mappings.formats.values import NO_FILE, FileName, Size, parse_address

_MAX_PDU = Size(128 * 1024)
_PARSED: tuple[tuple[str, Callable[[str], object], bool], ...] = (
    ("address", parse_address, True),
    ("reports", parse_address, False),
    ("ae_title", checked_title, True),
    ("calling", checked_title, True),
)
"""Settings that are read further, how, and whether they may be empty."""


@dataclass(frozen=True)
class PeerSettings:
    """A DICOM peer that we call, whatever for."""

    address: str
    """Host and port of the peer, like `10.0.0.9:104`."""
    ae_title: str
    """Its AE title."""
    calling: str
    """Our AE title when we call it; the peer has to know it."""
    reports: str = ""
    """Address and port on which we wait for its reports of storage commitment, like `0.0.0.0:11114`; the peer has `calling`
    entered with it. Empty = on the association on which we asked, which not every peer does."""
    tls: Literal["tls", "none"] = "tls"
    """`tls` encrypts; `none` switches encryption off, for a network in which nobody else is."""
    ca: FileName = NO_FILE
    """PEM file with the authorities of its certificate; empty = those of the system."""
    any_name: bool = False
    """Take a certificate of `ca` that names another host than `address`: those of devices often do."""
    certificate: FileName = NO_FILE
    """PEM file with our certificate, for a peer that asks for one, and for `reports`."""
    private_key: FileName = NO_FILE
    """PEM file with the key of `certificate`, without a password."""
    max_pdu: Size = _MAX_PDU
    """Largest PDU that it may send."""
    connect_timeout: timedelta = timedelta(seconds=10)
    """How long a connection may take, and TLS to begin."""
    acse_timeout: timedelta = timedelta(seconds=30)
    """How long it may take to let us in."""
    dimse_timeout: timedelta = timedelta(seconds=60)
    """How long it may take for each answer."""
    commit_timeout: timedelta = timedelta(minutes=5)
    """How long its report of storage commitment may take."""

    def __post_init__(self) -> None:
        for field, parse, needed in _PARSED:
            checked(self, field, parse, needed=needed)
        if bool(self.certificate) != bool(self.private_key):
            raise ValueError("private_key: certificate and private_key go together — write both, or none")
        if self.tls == "tls" and self.reports and not self.certificate:
            raise ValueError("certificate: reports by TLS need certificate and private_key")
        if self.any_name and not self.ca:
            raise ValueError("any_name: needs ca, or every certificate of the internet would do")
        if not 4096 <= self.max_pdu <= 1024 * 1024:
            raise ValueError('max_pdu: between "4KB" and "1024KB"')
        for one in fields(self):
            if one.name.endswith("_timeout") and getattr(self, one.name) <= timedelta(0):
                raise ValueError(f'{one.name}: nothing could come in no time — write a duration like "30s"')


def checked(settings: object, field: str, parse: Callable[[str], object], *, needed: bool) -> None:
    """Read a setting further; raises ValueError that names it."""
    text = getattr(settings, field)
    try:
        if text or needed:
            parse(text)
    except ValueError as exc:
        raise ValueError(f"{field}: {exc}") from exc


@dataclass(frozen=True, kw_only=True)
class PacsSettings(PeerSettings):
    """One `[[pacs]]`: a PACS that is asked for studies (`lienthong pacs`)."""

    name: str
    """By which commands name it."""
    move_to: str = ""
    """Our AE title to which it sends studies (C-MOVE): that of a channel of kind `dicom`, which the PACS has entered with the
    channel's address; empty = studies are taken by C-GET."""
    channel: str = ""
    """Channel to which objects taken by C-GET belong; empty = the one whose `ae_title` is `move_to`, or the only one that takes
    objects."""
    retrieve_timeout: timedelta = timedelta(minutes=10)
    """How long it may be silent while it sends a study, which may lie on a tape."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]{1,48}", self.name):
            raise ValueError("name: letters, digits, dot, dash and underscore, 48 at most")
        checked(self, "move_to", checked_title, needed=False)
        super().__post_init__()

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        return parse_address(self.address)

    def client_context(self) -> ssl.SSLContext | None:
        """Give what TLS needs to call it, None where it is off; raises `PacsTlsUnusable`."""
        if self.tls == "none":
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca or None)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.check_hostname = not self.any_name
            if self.certificate:
                context.load_cert_chain(self.certificate, self.private_key)
        except (OSError, ValueError) as exc:
            raise PacsTlsUnusable(self.name, type(exc).__name__) from exc
        return context

    def server_context(self) -> ssl.SSLContext | None:
        """Give what TLS needs to take its reports: it has to show a certificate of `ca`, where that is set. Raises as above."""
        if self.tls == "none":
            return None
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.load_cert_chain(self.certificate, self.private_key)
            if self.ca:
                context.load_verify_locations(self.ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError) as exc:
            raise PacsTlsUnusable(self.name, type(exc).__name__) from exc
        return context
