"""What can be set about the insurance portal. Requirement: S4.1–S4.3"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal
from urllib.parse import urlsplit

from connectors.destinations._http import check_http_settings
from mappings.formats.values import NO_FILE, NO_SECRET, FileName, Secret

_PRODUCTION = ".baohiemxahoi.gov.vn"
_TRAINING = ("daotao",)


@dataclass(frozen=True)
class Settings:
    takes: ClassVar[str] = "gdbhyt"
    takes_check_ins: ClassVar[bool] = True

    url: str
    """Address of the portal's interface, like `https://host`."""
    username: str
    """The facility's account, usually `<MA_CSKCB>_BV`."""
    password: Secret
    """Its password as a person types it; it travels as MD5, which the portal demands."""
    facility: str
    """MA_CSKCB, five characters; documents of another facility are not sent."""
    province: str = ""
    """maTinh; the first two characters of `facility` unless written."""
    version: Literal["auto", "3176", "4750", "130"] = "auto"
    """Which decision's files are sent. `auto`: the one that each file was written for, 3176 where it does not say; a fixed one
    sends nothing that was written for another."""
    owner: str = ""
    """Who answers for the account, by name and office; needed for the portal's own addresses, shown by `lienthong check`."""
    changed_on: str = ""
    """Day on which the password was last changed, such as `2026-11-01`; for the reminder."""
    change_every: timedelta = timedelta(days=90)
    """After which time `lienthong check` says that a new password is due."""
    officer: str = ""
    """Name of the officer who looks up cards, registered on the portal with `officer_id`; empty = no card is looked up."""
    officer_id: Secret = NO_SECRET
    """The officer's personal identification number."""
    lookups_per_minute: int = 30
    """Card look-ups within a minute, of all nodes; one more stops look-ups until a person lets them go on."""
    lookups_per_day: int = 2000
    """Card look-ups of a day, of all nodes; one more stops look-ups until a person lets them go on."""
    usual_lookups_per_day: int = 1000
    """Card look-ups of a usual day; the first above is told in the log and counted."""
    lookup_timeout: timedelta = timedelta(seconds=15)
    """How long a card look-up is waited for; it is not repeated by itself."""
    lookup_good_for: timedelta = timedelta(minutes=10)
    """For how long the same question at the same moment of a visit gets the same answer without being asked again."""
    ask_history: bool = False
    """Whether the card's history is asked about a file whose answer was lost. It can say yes; what it does not show is still
    for a person. Every question is a card look-up."""
    catalogue_body: Literal["json", "form"] = "json"
    """How catalogues and monthly files travel; the sources name the fields and not the form."""
    holidays: tuple[str, ...] = ()
    """Days off beside Saturdays and Sundays, such as `2027-02-08`; they move the days by which a file is to be corrected."""
    leave_by: str = ""
    """Local address that requests leave from, when this machine has several and the portal knows one; empty = as it comes."""
    ca: FileName = NO_FILE
    """PEM file with the authority of the portal's certificate; the public authorities unless written."""
    connect_timeout: timedelta = timedelta(seconds=5)
    """How long to wait for a connection."""
    answer_timeout: timedelta = timedelta(seconds=60)
    """How long to wait for an answer; after that it is not known whether the file arrived."""

    def __post_init__(self) -> None:
        check_http_settings(self.url, self.connect_timeout, self.answer_timeout)
        if not self.username:
            raise ValueError("username: empty — write the account the portal gave the facility")
        if len(self.facility) != 5 or not self.facility.isalnum():
            raise ValueError("facility: MA_CSKCB has five letters or digits — write it like 01032")
        if self.is_production and not self.owner.strip():
            raise ValueError("owner: nobody answers for this account — write a name and an office")
        if bool(self.officer) is not bool(self.officer_id):
            raise ValueError("officer: half of an officer — write officer and officer_id, or neither")
        if self.ask_history and not self.officer:
            raise ValueError("ask_history: a history is a card look-up — write officer and officer_id")
        for name in ("lookups_per_minute", "lookups_per_day", "usual_lookups_per_day"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: nobody could look up a card — write 1 or more")
        if self.lookup_timeout <= timedelta(0):
            raise ValueError('lookup_timeout: nothing would be waited for — write a duration like "15s"')
        if self.leave_by:
            try:
                ipaddress.ip_address(self.leave_by)
            except ValueError:
                raise ValueError("leave_by: not an address — write one of this machine's, like 192.0.2.7") from None
        for name, days in (("changed_on", (self.changed_on,) if self.changed_on else ()), ("holidays", self.holidays)):
            for day in days:
                _day(name, day)

    @property
    def is_production(self) -> bool:
        """Whether the address is the portal itself, and not its training or a simulated one."""
        host = urlsplit(self.url).hostname or ""
        return host.endswith(_PRODUCTION) and not host.startswith(_TRAINING)

    @property
    def looks_up_cards(self) -> bool:
        """Whether cards can be looked up with this account."""
        return bool(self.officer)

    @property
    def days_off(self) -> frozenset[date]:
        """The holidays as days."""
        return frozenset(date.fromisoformat(day) for day in self.holidays)

    def password_age(self, today: date) -> timedelta | None:
        """Say how old the password is; None when nobody wrote when it was changed."""
        return today - date.fromisoformat(self.changed_on) if self.changed_on else None


def _day(name: str, text: str) -> None:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return
    except ValueError:
        pass
    raise ValueError(f"{name}: {text[:12]!r} is no day — write one like 2026-11-26")
