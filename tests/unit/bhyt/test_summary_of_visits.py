"""Table 8 of a visit that nobody summed up: made when what was told is enough, for every kind of visit, or for none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mappings.bhyt.rules import Settings as RuleSettings
from mappings.bhyt.rules import check_visit
from mappings.bhyt.settings import DEFAULT, Settings
from mappings.bhyt.visit_file import record_to_file_tables
from mappings.bhyt.visits import Visit
from mappings.documents import compose
from tests.unit.bhyt.test_fhir_from_hl7v2 import EXAMINATION, PID, PV1, TABLETS, bill, record, stay
from tests.unit.documents import samples
from tests.unit.hl7v2.samples import line, mapped

TOLD = {
    "QT_BENHLY": "Ho ba ngày, sốt nhẹ",
    "TOMTAT_KQ": "Bạch cầu tăng",
    "PP_DIEUTRI": "Kháng sinh",
    "KET_QUA_DTRI": "1",
}
NOW = datetime(2026, 3, 9, 16, 0, tzinfo=UTC)
STAYS_ONLY = replace(DEFAULT, summary="stays")


def written(told: dict[str, str], settings: Settings = DEFAULT, *, half_told: bool = False) -> Visit:
    observations = (
        line("OBX", f1=str(n), f2="ST", f3=f"{name}^^QD3176", f5=text, f11="F")
        for n, (name, text) in enumerate({**told, "CHAN_DOAN_VAO": "Viêm phế quản"}.items(), 1)
    )
    notes = mapped("ORU^R01", PID, PV1, line("OBR", f1="1", f3="TT1", f4="TT^Tóm tắt^99HIS", f25="F"), *observations)
    resources = record(stay(), list(notes.resources), bill(EXAMINATION, TABLETS))
    (encounter,) = [one["id"] for one in resources if one["resourceType"] == "Encounter"]
    context = replace(samples.CONTEXT, facility=replace(samples.CONTEXT.facility, code="01032"))
    document = compose("insurance_record", f"Encounter/{encounter}", resources, context)
    visit, _ = record_to_file_tables(document, context, head="000001/HNO-GPHN", settings=settings, half_told=half_told)
    return visit


def test_a_visit_of_any_kind_has_it_by_the_setting() -> None:
    visit = written(TOLD)
    row = visit.one("XML8")
    assert (visit.one("XML1")["MA_LOAI_KCB"], row["MA_LOAI_KCB"]) == ("01", "01")
    assert {name: row[name] for name in ("QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI")} == {
        name: TOLD[name] for name in ("QT_BENHLY", "TOMTAT_KQ", "PP_DIEUTRI")
    }
    assert row["MA_LK"] == visit.number
    assert "XML8" not in written(TOLD, STAYS_ONLY).tables


@pytest.mark.parametrize("name", ["PP_DIEUTRI", "KET_QUA_DTRI"])
def test_half_of_it_does_not_hold_the_visit_up(name: str) -> None:
    told = {field: text for field, text in TOLD.items() if field != name}
    if name == "PP_DIEUTRI":  # else the medicines say it
        told["TOMTAT_KQ"] = ""
    assert "XML8" not in written(told).tables
    assert written(told, half_told=True).one("XML8")["QT_BENHLY"] == TOLD["QT_BENHLY"]


def test_the_rules_ask_no_reason_of_it_where_every_visit_has_one() -> None:
    visit = written(TOLD)
    every = RuleSettings(summary_kinds=frozenset({"01"}))
    of_table = [
        {one.rule for one in check_visit(visit, decision="3176", now=NOW, settings=settings) if one.table == "XML8"}
        for settings in (RuleSettings(), every)
    ]
    assert of_table[0] - of_table[1] == {"BT-007"}
