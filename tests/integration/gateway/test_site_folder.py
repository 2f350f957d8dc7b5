"""The folder `site/` beside the channels: a function, a Z segment, a code table of the site; what is wrong with one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.faults import ConfigInvalid
from gateway.site import load_site
from mappings import codes
from mappings.device import decimation
from mappings.documents import form, rules
from mappings.formats import er7
from mappings.hl7v2 import Context, map_message
from mappings.systems import MDC
from tests.site import cli, write_site

MESSAGE = (
    "MSH|^~\\&|HIS|01032|||20261104||ADT^A04|A1|P|2.5\r"
    "PID|1||BN000124^^^01032^PI||Hoàng^Ngọc^Phủ||1950|NAM\r"
    "ZPI|1||bộ đội\r"
)
FUNCTION = """
from mappings.hl7v2 import site

@site.replace
def pid_to_patient(pid, draft, usual):
    patient = usual(pid, draft)
    patient["active"] = True
    return patient

@site.segment("ZPI", mapped={3: "Patient.extension(occupation)"}, ignored={1: "sequence"})
def zpi(zpi, draft):
    patient = draft.get(draft.patient)
    url = "https://benhvien.vn/fhir/StructureDefinition/occupation"
    patient.setdefault("extension", []).append({"url": url, "valueString": zpi[3].text})
"""
TABLE = (
    "source,code,target_system,target,display,equivalence,valid_from,valid_to\n"
    "HIS,NAM,http://hl7.org/fhir/administrative-gender,male,Male,equivalent,,\n"
)


@pytest.fixture(autouse=True)
def _forget(tmp_path: Path) -> Iterator[None]:
    yield
    load_site(tmp_path / "no such folder")


def site(folder: Path, **contents: str) -> Path:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name.replace("__", ".")).write_text(content, encoding="utf-8")
    return folder


def mapped() -> dict[str, object]:
    outcome = map_message(er7.Message.parse(MESSAGE.encode()), Context("01032"))
    (patient,) = [resource for resource in outcome.resources if resource["resourceType"] == "Patient"]
    return {"patient": patient, "coverage": outcome.coverage}


def test_a_function_a_segment_and_a_table(tmp_path: Path) -> None:
    before = mapped()
    load_site(site(tmp_path / "site", his__py=FUNCTION, **{"gioi-tinh__csv": TABLE}))
    after = mapped()
    patient, coverage = after["patient"], after["coverage"]
    assert isinstance(patient, dict)
    assert patient["active"] is True
    assert patient["gender"] == "male"
    assert patient["extension"][-1]["valueString"] == "bộ đội"
    assert coverage.mapped["ZPI-3"] == "Patient.extension(occupation)"  # type: ignore[attr-defined]
    assert coverage.ignored["ZPI-1"] == "sequence"  # type: ignore[attr-defined]
    load_site(tmp_path / "gone")
    assert mapped() == before


@pytest.mark.parametrize(
    ("name", "content", "line", "said"),
    [
        ("a__py", "x = (\n", 1, "SyntaxError"),
        ("a__py", "import no_such_module_anywhere\n", 1, "ModuleNotFoundError"),
        ("a__py", "\n\nraise RuntimeError('x')\n", 3, "RuntimeError"),
        (
            "a__py",
            "from mappings.hl7v2 import site\n\n@site.replace\ndef pid_to_patiant(pid, draft, usual):\n    return None\n",
            3,
            "did you mean pid_to_patient?",
        ),
        (
            "a__py",
            "from mappings.hl7v2 import site\n\n@site.replace\ndef pid_to_patient(pid):\n    return None\n",
            3,
            "parameters should be (pid, draft, usual)",
        ),
        ("gioi-tinh__csv", "a,b\n", 1, "the first line is"),
        ("no-such-table__csv", TABLE, 1, "no code table is called no-such-table"),
        ("gioi-tinh__csv", TABLE.replace("equivalent,,", "equivalent,1.7.2025,"), 2, "a date is written like"),
        ("gioi-tinh__csv", TABLE.replace("equivalent", "same"), 2, "a code and one of"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(
    tmp_path: Path, name: str, content: str, line: int, said: str
) -> None:
    with pytest.raises(ConfigInvalid) as raised:
        load_site(site(tmp_path / "site", **{name: content}))
    (problem,) = raised.value.problems
    assert problem.code == 1013
    assert problem.where == f"site/{name.replace('__', '.')}:{line}"
    assert said in problem.detail


def test_tables_of_the_sites_own_codes(tmp_path: Path) -> None:
    assert codes.site_table("site-observation") is None
    load_site(site(tmp_path / "site", **{"site-observation__csv": TABLE}))
    table = codes.site_table("site-observation")
    assert table is not None
    assert table.target("NAM") == "male"


def test_check_tells_and_map_uses_the_site(tmp_path: Path) -> None:
    config = write_site(tmp_path)
    site(config / "site", his__py=FUNCTION)
    message = tmp_path / "a.hl7"
    message.write_text(MESSAGE, encoding="utf-8")
    done = cli("map", str(message), "--json", "--config", str(config))
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    states = {entry["position"]: entry for entry in told["coverage"]["fields"]}
    assert states["ZPI-3"]["state"] == "mapped"
    assert states["ZPI-3"]["target"].endswith(".extension(occupation)")
    (config / "site" / "his.py").write_text("x = (\n", encoding="utf-8")
    done = cli("check", "--config", str(config))
    assert done.returncode == 1
    assert "LT1013" in done.stderr
    assert "site/his.py:1" in done.stderr


def test_a_sites_drug_codes_reach_the_shared_catalogue(tmp_path: Path) -> None:
    order = (
        "MSH|^~\\&|HIS|01032|||20261104||RDE^O11|D1|P|2.5\r"
        "PID|1||BN000124^^^01032^PI||Hoàng^Ngọc^Phủ\r"
        "ORC|NW|TH1\r"
        "RXE||PARA500^Paracetamol 500 mg^L|1||VIEN^viên^L\r"
    )

    def drug() -> tuple[set[str], list[str]]:
        outcome = map_message(er7.Message.parse(order.encode()), Context("01032"))
        codings = [
            coding["code"]
            for resource in outcome.resources
            if resource["resourceType"] == "MedicationRequest"
            for coding in resource["medicationCodeableConcept"]["coding"]
        ]
        return set(codings), [unmapped.code for unmapped in outcome.unmapped]

    assert drug() == ({"PARA500"}, ["PARA500"])
    row = "HIS,PARA500,https://example.org/thuoc,40.123,Paracetamol,equivalent,,\n"
    load_site(site(tmp_path / "site", **{"site-drug__csv": TABLE.splitlines()[0] + "\n" + row}))
    assert drug() == ({"PARA500", "40.123"}, [])


RULES = '[[rule]]\npaper = "discharge_paper"\nsubject = "Encounter"\non = ["ADT^A08"]\n'
ROWS = '[[row]]\npaper = "discharge_paper"\nlabel = "Điện thoại khoa:"\nkey = "DIEN_THOAI_KHOA"\n'


def test_rules_and_rows_of_papers(tmp_path: Path) -> None:
    load_site(site(tmp_path / "site", rules__toml=RULES, forms__toml=ROWS))
    assert [rule.on for rule in rules.rules("discharge_paper")] == [("ADT^A08",)]
    assert [row.key for row in form.own_rows("discharge_paper")] == ["DIEN_THOAI_KHOA"]
    load_site(tmp_path / "no such folder")
    assert [rule.on for rule in rules.rules("discharge_paper")] == [("ADT^A03", "GDBHYT^XML7")]
    assert form.own_rows("discharge_paper") == ()


def test_wrong_tables_of_papers_are_each_a_problem(tmp_path: Path) -> None:
    wrong = site(tmp_path / "site", rules__toml=RULES.replace("on", "when"), forms__toml=ROWS.replace("DIEN", "dien"))
    with pytest.raises(ConfigInvalid) as invalid:
        load_site(wrong)
    assert [problem.where for problem in invalid.value.problems] == ["site/forms.toml:1", "site/rules.toml:1"]


def test_rules_and_codes_of_devices(tmp_path: Path) -> None:
    code = "source,code,target_system,target,display,equivalence,valid_from,valid_to\nMDC,150344,http://loinc.org,8310-5,,wider,,\n"
    folder = site(tmp_path / "site", devices__toml='[[rule]]\nevery = "0s"\n')
    (folder / "mdc-loinc.csv").write_text(code, encoding="utf-8")
    measured = {
        "code": {"coding": [{"system": MDC, "code": "150344"}]},
        "device": {"reference": "DeviceMetric/1"},
        "valueQuantity": {"value": 37},
    }
    load_site(folder)
    assert decimation.rule_for(measured) is None
    assert codes.table("mdc-loinc").target("150344") == "8310-5"
    load_site(tmp_path / "no such folder")
    assert decimation.rule_for(measured) == decimation.Rule()
    assert codes.table("mdc-loinc").target("150344") == ""


def test_a_wrong_rule_of_devices_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as invalid:
        load_site(site(tmp_path / "site", devices__toml='[[rule]]\nkeep = ["mean"]\n'))
    (problem,) = invalid.value.problems
    assert problem.where == "site/devices.toml:1"
    assert "median" in str(problem)
