"""`lienthong cda read`: one document as a whole, several as a list, one JSON object per document and line."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mappings.formats import json as exact
from tests.integration.gateway.test_map_command import sums_hold
from tests.site import cli
from tests.unit.cda.read.snippets import OWN, document, section
from tests.unit.fhir.test_document import bundle

KEYS = {"file", "outcome", "bundle", "coverage", "faults", "notices"}
RESULT = f"""<observation classCode="OBS" moodCode="EVN"><code code="718-7" codeSystem="2.16.840.1.113883.6.1"/>
<statusCode code="completed"/><value xsi:type="PQ" value="4.50" unit="g/dL"/><sdtc:new code="{OWN}"/></observation>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.xml").write_bytes(document(section(RESULT, "30954-2")))
    (tmp_path / "b.json").write_bytes(exact.dumps(bundle()))
    (tmp_path / "c.cda").write_bytes(b"<HOSO MA='1'/>")
    (tmp_path / "d.txt").write_bytes(b"MSH|")
    return tmp_path


def lines(*arguments: str) -> list[dict[str, Any]]:
    done = cli("cda", "read", *arguments, "--json")
    assert done.returncode in (0, 1), done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_one_object_per_document(folder: Path) -> None:
    first, second, third = lines(str(folder))
    for told in (first, second, third):
        assert set(told) == KEYS
        assert sums_hold(told)
    assert (first["outcome"], second["outcome"], third["outcome"]) == ("read", "read", "fault")
    assert first["bundle"]["type"] == second["bundle"]["type"] == "document"
    assert first["coverage"]["unknown"] == 1
    assert third["bundle"] is None
    assert third["faults"][0]["code"] == "LT3260"
    assert third["faults"][0]["where"] == "/HOSO"
    assert third["coverage"]["unknown"] == third["coverage"]["populated"] == 1


def test_digits_are_kept(folder: Path) -> None:
    done = cli("cda", "read", str(folder / "a.xml"), "--json")
    assert done.returncode == 0
    assert '"value":4.50' in done.stdout


def test_people_read_header_sections_and_what_is_unknown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    done = cli("cda", "read", str(folder / "a.xml"))
    assert done.returncode == 0, done.stderr
    for word in ("Tóm tắt", "An Trần", "02/01/1970", "nữ", "Lê Thị Mai", "1 Observation", "chưa có phép ánh xạ"):
        assert word in done.stdout, word


def test_several_documents_are_a_list_and_a_fault_ends_with_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    done = cli("cda", "read", str(folder))
    assert done.returncode == 1
    assert "3 tài liệu, 1 lỗi" in done.stdout
    assert "LT3260" in done.stdout


def test_who_is_expected(folder: Path) -> None:
    (told,) = lines(str(folder / "a.xml"), "--patient", f"urn:oid:{OWN}.1|BN-0002")
    assert told["faults"][0]["code"] == "LT3264"
    (told,) = lines(str(folder / "a.xml"), "--patient", f"urn:oid:{OWN}.1|BN-0001")
    assert told["outcome"] == "read"
    assert cli("cda", "read", str(folder / "a.xml"), "--patient", "BN-0001").returncode == 2


def test_whose_it_is_not_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")
    (tmp_path / "a.xml").write_bytes(document(section(RESULT, "30954-2"), patient=""))
    (told,) = lines(str(tmp_path))
    assert (told["outcome"], told["faults"][0]["code"]) == ("without_patient", "LT3263")
    assert told["bundle"]["entry"][0]["resource"]["resourceType"] == "Composition"
    done = cli("cda", "read", str(tmp_path))
    assert done.returncode == 1
    assert "LT3263" in done.stdout
    (tmp_path / "b.xml").write_bytes(document())
    assert "không nêu người bệnh" in cli("cda", "read", str(tmp_path)).stdout


def test_corpus(corpora: Path) -> None:
    told = lines(str(corpora / "cda"))
    assert len(told) == 41
    assert Counter(one["outcome"] for one in told) == {"read": 33, "without_patient": 5, "fault": 3}
    assert all(sums_hold(one) for one in told)
    assert all(one["coverage"]["populated"] and one["bundle"] for one in told if one["outcome"] != "fault")
    faults = {one["outcome"]: one["faults"][0]["code"] for one in told if one["faults"]}
    assert faults == {"without_patient": "LT3263", "fault": "LT3001"}
