"""Documents as others write them: every fact accounted for, nothing invented, and a page of each."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from mappings.cda import faults, html
from mappings.cda.read import Reading, read, unread
from mappings.cda.read.node import REFUSED, tree
from mappings.formats import safe_xml
from tests.unit.cda.read.snippets import AUTHOR, LOINC, NS, OWN, PATIENT, all_of, document, one, section, sound

PROBLEM = f"""<observation classCode="OBS" moodCode="EVN"><id root="{OWN}.9" extension="1"/>
<code code="29308-4" codeSystem="{LOINC}"/><statusCode code="completed"/>
<value xsi:type="CD" code="I10" codeSystem="2.16.840.1.113883.6.3" displayName="Tăng huyết áp"/></observation>"""
WHOLE = document(section(PROBLEM))


def text(data: bytes = WHOLE) -> str:
    return data.decode().partition("?>\n")[2]


def prefixed() -> bytes:
    """The same document in a name space with a prefix."""
    made = text().replace('xmlns="urn:hl7-org:v3"', 'xmlns:cda="urn:hl7-org:v3"')
    made = made.replace("</", "\0").replace("<", "<cda:").replace("\0", "</cda:")
    return made.encode()


def nothing_known() -> bytes:
    """A document of which every element says only that nothing is known."""
    root = etree.fromstring(text().encode())
    for element in root.iter(etree.Element):
        if element is not root:
            element.attrib.clear()
            element.text = None
            element.set("nullFlavor", "NI")
    return etree.tostring(root)


def nested(depth: int) -> str:
    inner = (
        f'<section><code code="10164-2" codeSystem="{LOINC}"/><title>Trong</title><text>Chữ {depth}</text></section>'
    )
    for level in range(depth):
        inner = f"<section><title>Mục {level}</title><component>{inner}</component></section>"
    return f"<structuredBody><component>{inner}</component></structuredBody>"


def file(kind: str, data: bytes, compression: str = "") -> str:
    packed = base64.b64encode(data).decode()
    return f'<nonXMLBody><text mediaType="{kind}" representation="B64" {compression}>{packed}</text></nonXMLBody>'


SHEET = b'<?xml version="1.0" encoding="UTF-8"?><?xml-stylesheet type="text/xsl" href="http://evil.example/CDA.xsl"?>\n'
SDTC = f"""<recordTarget><patientRole><id root="{OWN}.1" extension="BN-0001"/><patient><name><given>An</given></name>
<birthTime value="19700102"/><sdtc:deceasedInd value="true"/><sdtc:deceasedTime value="20260201"/>
<sdtc:raceCode code="2039-6" codeSystem="2.16.840.1.113883.6.238"/><sdtc:new code="1" value="x"/></patient>
</patientRole></recordTarget>"""

LABORATORY = f"""<structuredBody><component><section classCode="DOCSECT"><templateId root="1.3.6.1.4.1.19376.1.3.3.2.1"/>
<code code="18719-5" codeSystem="{LOINC}"/><title>Hóa sinh</title><text><table><tbody><tr><td ID="k">Kali 4.50</td></tr>
</tbody></table></text><entry typeCode="DRIV"><templateId root="1.3.6.1.4.1.19376.1.3.1"/>
<act classCode="ACT" moodCode="EVN"><code code="18719-5" codeSystem="{LOINC}"/><statusCode code="completed"/>
<entryRelationship typeCode="COMP"><observation classCode="OBS" moodCode="EVN"><code code="2823-3" codeSystem="{LOINC}"/>
<text><reference value="#k"/></text><statusCode code="completed"/><effectiveTime value="20260301"/>
<value xsi:type="PQ" value="4.50" unit="mmol/L"/></observation></entryRelationship></act></entry></section></component>
</structuredBody>"""

VARIATIONS: dict[str, Callable[[], bytes]] = {
    "a prefix": prefixed,
    "a byte order mark": lambda: b"\xef\xbb\xbf" + WHOLE,
    "UTF-16, big end first": lambda: b"\xfe\xff" + WHOLE.decode().replace("UTF-8", "UTF-16").encode("utf-16-be"),
    "ISO-8859-1": lambda: (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>\n' + text().encode("ascii", "xmlcharrefreplace")
    ),
    "windows-1258": lambda: (
        b'<?xml version="1.0" encoding="windows-1258"?>\n' + text().encode("cp1258", "xmlcharrefreplace")
    ),
    "a style sheet of theirs": lambda: SHEET + text().encode(),
    "comments and instructions": lambda: WHOLE.replace(b"<section>", b"<!-- x --><section><?x y?><!-- <a> -->"),
    "XML 1.1 line ends": lambda: WHOLE.replace(b"\n", b"\r\n"),
    "no code of a section": lambda: WHOLE.replace(f'<code code="11450-4" codeSystem="{LOINC}"/>'.encode(), b""),
    "no code of the document": lambda: WHOLE.replace(b'code="34133-9"', b'nullFlavor="UNK"'),
    "nothing known": nothing_known,
    "sections in sections": lambda: document(nested(6)),
    "sections too deep": lambda: document(nested(24)),
    "no body": lambda: WHOLE[: WHOLE.index(b"<component>")] + b"</ClinicalDocument>",
    "several bodies": lambda: document(section(PROBLEM) + section(PROBLEM.replace("I10", "I11"))),
    "several patients": lambda: document(section(PROBLEM), patient=PATIENT + PATIENT.replace("BN-0001", "BN-0002")),
    "extensions of sdtc": lambda: document(section(PROBLEM), patient=SDTC),
    "a laboratory report of IHE": lambda: document(LABORATORY),
    "a PDF": lambda: document(file("application/pdf", b"%PDF-1.7 x")),
    "RTF": lambda: document(file("text/rtf", rb"{\rtf1 x}")),
    "plain text in base64": lambda: document(file("text/plain", "Chữ".encode())),
    "a compressed file": lambda: document(file("application/pdf", b"x\x9c", 'compression="DF"')),
    "an empty file": lambda: document(
        '<nonXMLBody><text mediaType="application/pdf" representation="B64"/></nonXMLBody>'
    ),
    "text and a file": lambda: document('<nonXMLBody><text>Chữ <reference value="a.pdf"/></text></nonXMLBody>'),
    "a foreign body": lambda: document('<structuredBody xmlns:x="urn:x"><x:a y="1"/></structuredBody>'),
    "a patient without numbers": lambda: document(
        section(PROBLEM), patient='<recordTarget><patientRole><id nullFlavor="UNK"/></patientRole></recordTarget>'
    ),
    "an author who is a device": lambda: document(
        section(PROBLEM),
        author=AUTHOR.replace(
            "<assignedPerson><name>Lê Thị Mai</name></assignedPerson>",
            "<assignedAuthoringDevice><softwareName>X</softwareName></assignedAuthoringDevice>",
        ),
    ),
    "no author": lambda: document(section(PROBLEM), author=""),
    "no name space": lambda: WHOLE.replace(b' xmlns="urn:hl7-org:v3"', b""),
    "no patient": lambda: document(section(PROBLEM), patient=""),
    "a patient of whom nothing is known": lambda: document(section(PROBLEM), patient='<recordTarget nullFlavor="NI"/>'),
    "a fragment": lambda: (
        f"<ClinicalDocument {NS}><component>{section(PROBLEM)}</component></ClinicalDocument>".encode()
    ),
}


def whole_account(data: bytes, reading: Reading) -> None:
    """Assert that every fact of the document is in the account once."""
    facts = sum(len(node.facts()) for node in tree(safe_xml.parse(data)).walk())
    assert reading.coverage.total == facts == unread(data).total


@pytest.mark.parametrize("name", VARIATIONS)
def test_a_variation_is_read_accounted_for_and_shown(name: str) -> None:
    data = VARIATIONS[name]()
    reading = sound(read(data))
    whole_account(data, reading)
    page = html.html(data)
    assert b"<script" not in page
    assert b"evil.example" not in page


@pytest.mark.parametrize(
    "name",
    [
        "a prefix",
        "a byte order mark",
        "UTF-16, big end first",
        "ISO-8859-1",
        "a style sheet of theirs",
        "no name space",
    ],
)
def test_how_it_is_written_changes_nothing_that_it_says(name: str) -> None:
    def said(reading: Reading) -> list[dict[str, Any]]:
        return [resource for resource in reading.resources if resource["resourceType"] != "Provenance"]

    reading = read(VARIATIONS[name]())
    assert said(reading) == said(read(WHOLE))
    told = [notice.code for notice in reading.notices]
    assert told == ([faults.NAMESPACE_MISSING] if name == "no name space" else [])
    assert "Nội dung".encode() in html.html(VARIATIONS[name]())


@pytest.mark.parametrize("name", ["no patient", "a patient of whom nothing is known", "a fragment"])
def test_nobody_is_invented(name: str) -> None:
    """Header and narrative can be read by people; no statement stands about nobody."""
    reading = sound(read(VARIATIONS[name]()))
    assert isinstance(reading.fault, faults.PatientMissing)
    assert reading.patient_id is None
    assert not {resource["resourceType"] for resource in reading.resources} & {"Patient", "Condition", "Observation"}
    composition = one(reading, "Composition")
    assert "subject" not in composition
    assert "Nội dung" in composition["section"][0]["text"]["div"]
    assert "a statement about nobody; the document does not say whose it is" in reading.coverage.unknown.values()


def test_every_sample_without_its_patient_is_about_nobody(corpora: Path) -> None:
    for path in sorted((corpora / "cda" / "xsd-valid").glob("*.xml")):
        root = etree.parse(path).getroot()
        for target in root.findall("{urn:hl7-org:v3}recordTarget"):
            root.remove(target)
        data = etree.tostring(root)
        reading = sound(read(data))
        whole_account(data, reading)
        assert reading.fault, path.name
        assert not all_of(reading, "Patient"), path.name


def test_what_is_refused_is_unknown_as_a_whole() -> None:
    data = f"<x:Bericht xmlns:x='urn:x' {NS} a='1'><b>c</b></x:Bericht>".encode()
    with pytest.raises(faults.NotClinicalDocument):
        read(data)
    assert unread(data).unknown == {"/{urn:x}Bericht/@a": REFUSED, "/{urn:x}Bericht/b/text()": REFUSED}
    assert unread(b"<a>").total == 0


def test_a_laboratory_value_keeps_its_digits() -> None:
    (found,) = [
        o for o in all_of(read(VARIATIONS["a laboratory report of IHE"]()), "Observation") if "valueQuantity" in o
    ]
    assert str(found["valueQuantity"]["value"]) == "4.50"
