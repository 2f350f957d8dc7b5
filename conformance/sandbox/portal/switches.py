"""Hold what an operator can change while the portal runs: above all the readings of what is not published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Final, Literal

from pydantic import TypeAdapter

INPATIENT: Final = ("03", "04", "06", "09")


@dataclass(frozen=True)
class Switches:
    """How this portal behaves. The defaults take what any reading would take."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    one_login: bool = False
    """A second log-in of an account ends the first token (not published; reported by integrators)."""
    bound_to_address: bool = True
    """A token works only from the address that took it."""
    registered_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Account → addresses it may log in from; an account not named may from any. The refusal, 401, is ours."""
    restricted: tuple[str, ...] = ()
    """Accounts on the list of restricted look-ups: 500 at TraCuuTienMCCT with the published words."""
    restricted_cards: Literal["answer", "101"] = "answer"
    """What a restricted account gets at card look-up: not published."""
    without_rights: tuple[str, ...] = ()
    """Accounts that may not submit: 403."""
    signature_scope: Literal["any", "whole", "parts"] = "any"
    """Which reading it insists on: the whole document (`URI=""`), or the parts THONGTINDONVI to THONGTINHOSO by Id."""
    registered_certificates: bool = False
    """Believe only certificates that were registered, whoever issued them; otherwise those of the demo CA."""
    unregistered_code: Literal["123", "125", "403"] = "125"
    """What a file signed with an unregistered certificate is answered; not published."""
    structure_at_reception: bool = False
    """Refuse with 124 what otherwise the assessment reports: order, missing and unknown elements, types, code lists."""
    resent: Literal["replaces", "delete_first"] = "replaces"
    """Whether a file of the same MA_LK replaces an assessed one that was not returned, or is refused until it is deleted."""
    resent_code: Literal["202", "204", "205"] = "205"
    """What `delete_first` answers; not published."""
    assessed_after_s: float | None = 60.0
    """How long after reception the block errors appear; None: when the operator says so."""
    discharge_paper_for: tuple[str, ...] = ("03", "04", "09")
    """MA_LOAI_KCB that need XML7, unless MA_LOAI_RV is 3: the sources differ."""
    summary_for: tuple[str, ...] = ("03", "04", "06")
    """MA_LOAI_KCB that may have XML8: the sources differ."""
    tolerance: int = 1
    """Đồng by which a sum may differ."""
    card_numbers: Literal["any", "15"] = "any"
    """What MA_THE_BHYT may hold: only the 15 characters, or the 10 digits of BHXH and the 12 of the citizen too, as look-up
    takes them. The list of block errors knows 15 alone; whether it still does is not known."""
    open_years: tuple[int, ...] = ()
    """Financial years that are open beside the year of reception: otherwise block error 103."""
    contract_until: Mapping[str, str] = field(default_factory=dict)
    """Facility → last day of its contract, yyyyMMdd: who comes later gets block error 58."""
    outpatient_only: tuple[str, ...] = ()
    """Facilities with a contract for outpatients: block error 60 for the kinds of inpatients."""


_SWITCHES: Final = TypeAdapter(Switches)


class Board:
    """Holds the switches as they stand now."""

    def __init__(self, switches: Switches) -> None:
        self.now = switches

    def change(self, **values: Any) -> Switches:
        """Set the switches named and leave the others. Raises ValueError when a name or value is none."""
        known = {each.name for each in fields(Switches)}
        if unknown := sorted(set(values) - known):
            raise ValueError("no such switch: " + ", ".join(unknown))
        self.now = _SWITCHES.validate_python(asdict(self.now) | values)
        return self.now

    def state(self) -> dict[str, Any]:
        """Return every switch with its value."""
        return asdict(self.now)
