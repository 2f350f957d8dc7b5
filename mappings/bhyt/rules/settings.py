"""What a site may decide about the rules: each doubtful reading of the published rules, and the tolerances."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from mappings.bhyt.decisions import CALENDAR, Calendar


@dataclass(frozen=True)
class Settings:
    """The readings that are used; what stands here is what more sources tell."""

    calendar: Calendar = CALENDAR
    discharge_paper_kinds: frozenset[str] = frozenset({"03", "04", "09"})
    """MA_LOAI_KCB that must bring XML7."""
    short_cards: bool = True
    """Numbers of 10 (social insurance) and 12 digits (personal number) are cards too, as look-ups take them; else only 15."""
    summary_kinds: frozenset[str] = frozenset({"03", "04", "06"})
    """MA_LOAI_KCB that may bring XML8; one HIS uses 02, 03, 09."""
    summary_required: bool = False
    """Whether visits of these kinds must bring XML8."""
    course_kinds: frozenset[str] = frozenset({"02", "03", "04", "05", "06", "08", "09"})
    """MA_LOAI_KCB that must bring XML5."""
    reexam_strictly_after: bool = False
    """NGAY_HEN_KL must be after the day of NGAY_RA, not on it."""
    accident_0_to_8: bool = False
    """MA_TAI_NAN as the older block rule takes it, 0 to 8, instead of 1 to 5."""
    fee_for_service_without_forces: bool = False
    """T_BHTT_GDV leaves out cards CA, CY, QN."""
    financial_year_is_now: bool = False
    """NGAY_RA must lie in this year; else in NAM_QT."""
    occupation_level_2: bool = True
    """MA_NGHE_NGHIEP is one of the 49 codes of two digits; else any code of up to five digits passes."""
    district_after_2025: bool = False
    """MAHUYEN_CU_TRU must be filled though districts ended on 2025-07-01."""
    tb_dates_without_hiv: bool = False
    """BDDT_ARV and NGAY_BAT_DAU_DT_CTX of XML15 are asked of everybody, as the portal's sheet prints."""
    referral_mirror_required: bool = False
    """XML13 must repeat diagnosis, card's end, kind of discharge and results; the sheet lets them be blank."""
    id_number_from_age: int = 14
    """From which age on a Vietnamese patient is expected to have SO_CCCD."""
    pending_result_days: int = 7
    """How long a result may be pending after the visit."""
    row_tolerance: Decimal = Decimal(1)
    """Đồng by which an amount of a row may differ before it blocks; any difference is warned of."""
    total_tolerance: Decimal = Decimal(1)
    """Đồng by which a total may differ before it blocks; any difference is warned of."""
    base_salary: tuple[tuple[date, Decimal], ...] = (
        (date(2023, 7, 1), Decimal(1_800_000)),
        (date(2024, 7, 1), Decimal(2_340_000)),
    )
    """Base salary from a day on; a visit below 15 % of it is paid whole. Not from the sources of the formats."""

    def salary(self, day: date) -> Decimal | None:
        return next((amount for start, amount in reversed(self.base_salary) if start <= day), None)


DEFAULT = Settings()
