"""Ask whether a key signs in the device that was handed over with its certificate, and tell or refuse when it does not.

People's and the facility's seal alike. The serial number is the device's own word; a file or a remote service states none.

Requirement: S0.3, S0.7
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass

from sqlalchemy.engine import Connection, Row

from gateway.certificates import register
from gateway.faults import DeviceDiffers
from gateway.settings import Plan
from gateway.store import certificates as rows

log = logging.getLogger("lienthong.certificates")

_SERIAL = 32
_PUNCTUATION = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class OtherDevice:
    """A key is in another device than was handed over."""

    certificate: Row[tuple[object, ...]]
    stated: str
    recorded: str

    @property
    def detail(self) -> str:
        return f"device {self.stated[:_SERIAL]}, handed over {self.recorded[:_SERIAL]}"


def find_other(connection: Connection, certificate_fingerprint: str, device: str) -> OtherDevice | None:
    """Return what differs when a key is in another `device` than was handed over; None where one of the two is not known.

    Serial numbers are compared without spaces, punctuation, zeros at the beginning and the difference of capital letters:
    people copied one of them from a case.
    """
    row = rows.by_fingerprint(connection, certificate_fingerprint.lower()) if device else None
    if row is None or not row.device_serial or _plain(row.device_serial) == _plain(device):
        return None
    return OtherDevice(row, device, row.device_serial)


def ask(connection: Connection, plan: Plan, certificate_fingerprint: str, device: str, actor: str, now: int) -> None:
    """Note another device than was handed over, each once; raise DeviceDiffers where the settings refuse it."""
    found = find_other(connection, certificate_fingerprint, device)
    if found is None:
        return
    row = found.certificate
    if plan.signing.other_device == "refuse":
        raise DeviceDiffers(row.id, found.detail)
    if register.note_device(connection, row, register.Act(actor[:64], "", now), found.detail):
        log.warning("certificate %s: %s", row.id, found.detail)


def _plain(serial: str) -> str:
    return _PUNCTUATION.sub("", serial).casefold().lstrip("0")
