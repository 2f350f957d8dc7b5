"""What is no document, or a hostile one, ends in a fault that says so, or is read without its poison."""

from __future__ import annotations

import base64

import pytest

from mappings.cda import faults
from mappings.cda.read import Context, read
from mappings.cda.read.node import MOST_ELEMENTS
from mappings.formats.faults import XmlRefused
from tests.unit.cda.read.snippets import NS, OWN, all_of, document, one, section, sound, taken


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"<Bundle xmlns='http://hl7.org/fhir'/>", "FHIR in XML"),
        (b"<ClinicalDocument xmlns='urn:x'/>", "ClinicalDocument in another namespace than urn:hl7-org:v3"),
        (b"<PRPA_IN201305UV02 xmlns='urn:hl7-org:v3'/>", "an HL7 v3 message or fragment, not a document"),
        (b"<HOSO/>", "another kind of document"),
    ],
)
def test_another_root(data: bytes, kind: str) -> None:
    with pytest.raises(faults.NotClinicalDocument) as raised:
        read(data)
    assert raised.value.detail == kind


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"MSH|^~\\&|",
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'>",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><ClinicalDocument xmlns='urn:hl7-org:v3'>&a;</ClinicalDocument>",
        b"<ClinicalDocument xmlns='urn:hl7-org:v3'>" + b"<a>" * 5000 + b"</a>" * 5000 + b"</ClinicalDocument>",
    ],
)
def test_not_well_formed_or_a_bomb(data: bytes) -> None:
    with pytest.raises(XmlRefused):
        read(data)


@pytest.mark.parametrize(
    "data",
    [
        document().replace("Tóm tắt".encode(), "Tóm tắt".encode("cp1258", "replace")),
        document().replace(b'encoding="UTF-8"', b'encoding="x-unknown"'),
    ],
)
def test_wrong_encoding(data: bytes) -> None:
    with pytest.raises(faults.EncodingWrong):
        read(data)


def test_other_encodings_that_are_declared_are_read() -> None:
    text = document().decode()
    data = text.replace("UTF-8", "UTF-16").encode("utf-16")
    assert one(read(data), "Composition")["title"] == "Tóm tắt"


def test_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(faults.DocumentTooLarge):
        read(document(), Context(max_size=100))
    assert MOST_ELEMENTS > 100_000
    monkeypatch.setattr("mappings.cda.read.node.MOST_ELEMENTS", 1000)
    many = section("<act/>").replace("<act/>", "<act/>" + "<x/>" * 1001)
    with pytest.raises(faults.DocumentTooLarge):
        read(document(many))


def test_one_huge_text_is_read() -> None:
    reading = sound(read(document(section("", text=f"<text>{'dài ' * 3_000_000}</text>"))))
    assert len(one(reading, "Composition")["section"][0]["text"]["div"]) > 11_000_000


def test_statements_nested_beyond_reason_are_left_and_told() -> None:
    entry = '<observation classCode="OBS" moodCode="EVN"><code code="1" codeSystem="1.2.3"/>'
    nested = (entry + '<entryRelationship typeCode="COMP">') * 40 + entry + "</observation>"
    nested += "</entryRelationship></observation>" * 40
    reading = taken(nested, "11506-3")
    assert "statements within statements, too deep" in reading.coverage.unknown.values()
    assert len(all_of(reading, "Observation")) == 25


def test_scripts_in_a_narrative_are_inert_and_noticed() -> None:
    text = """<text>An toàn <script>alert(1)</script><content onclick="x()" ID="a">chữ</content>
    <linkHtml href="javascript:alert(1)">liên kết</linkHtml><b>đậm</b>
    <iframe src="http://evil.example"/><renderMultiMedia referencedObject="m"/></text>"""
    reading = taken("", text=text)
    div = one(reading, "Composition")["section"][0]["text"]["div"]
    assert not any(word in div for word in ("script", "alert", "onclick", "iframe", "evil", "href"))
    assert all(word in div for word in ("An toàn", "chữ", "liên kết", "đậm"))
    told = {notice.detail for notice in reading.notices if notice.code == faults.ACTIVE_CONTENT}
    assert {"script", "onclick", "href", "iframe", "b"} <= told


def test_what_looks_like_markup_is_text() -> None:
    reading = taken("", text="<text>&lt;script&gt;alert(1)&lt;/script&gt; &amp; 5 &lt; 6</text>")
    div = one(reading, "Composition")["section"][0]["text"]["div"]
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; 5 &lt; 6" in div


def body(text: str, **attributes: str) -> str:
    said = " ".join(f'{name}="{value}"' for name, value in attributes.items())
    return f"<nonXMLBody><text {said}>{text}</text></nonXMLBody>"


def test_an_embedded_pdf_is_kept_with_size_and_hash() -> None:
    data = b"%PDF-1.7 gia" * 100
    packed = base64.b64encode(data).decode()
    lines = "\n".join(packed[i : i + 76] for i in range(0, len(packed), 76))
    reading = sound(read(document(body(lines, mediaType="application/pdf", representation="B64"))))
    binary, document_reference = one(reading, "Binary"), one(reading, "DocumentReference")
    attachment = document_reference["content"][0]["attachment"]
    assert base64.b64decode(binary["data"]) == data
    assert attachment["url"] == f"Binary/{binary['id']}"
    assert (attachment["contentType"], attachment["size"]) == ("application/pdf", len(data))
    assert len(base64.b64decode(attachment["hash"])) == 20
    assert not reading.coverage.unknown


def test_an_embedded_file_that_is_no_base64_is_noticed_and_unknown() -> None:
    reading = sound(read(document(body("đây không phải", mediaType="application/pdf", representation="B64"))))
    assert [notice.code for notice in reading.notices] == [faults.ATTACHMENT_UNREADABLE]
    assert "not base64" in reading.coverage.unknown.values()
    assert not all_of(reading, "Binary")


def test_a_file_elsewhere_and_a_plain_text() -> None:
    elsewhere = '<nonXMLBody><text mediaType="image/jpeg"><reference value="anh.jpg"/></text></nonXMLBody>'
    found = one(sound(read(document(elsewhere))), "DocumentReference")["content"][0]["attachment"]
    assert found == {"contentType": "image/jpeg", "url": "anh.jpg"}
    plain = one(sound(read(document(body("Chữ", mediaType="text/plain")))), "Binary")
    assert base64.b64decode(plain["data"]).decode() == "Chữ"


@pytest.mark.parametrize(
    "value",
    [
        "\x7f",
        "x" * 2_000_000,
        "a b\tc",
        "' or 1=1",
        "﷐",
        "urn:x y",
        "../../etc/passwd",
        "-1",
        "1e400",
        "NaN",
        "20261399",
    ],
)
def test_strange_values_never_break_a_resource(value: str) -> None:
    from xml.sax.saxutils import quoteattr

    said = quoteattr(value)
    entries = f"""<observation classCode="OBS" moodCode="EVN"><id root={said} extension={said}/>
    <code code={said} codeSystem={said} displayName={said}/><statusCode code={said}/><effectiveTime value={said}/>
    <value xsi:type="PQ" value={said} unit={said}/><referenceRange><observationRange><value xsi:type="IVL_PQ">
    <low value={said}/></value></observationRange></referenceRange></observation><!--next-->
    <substanceAdministration classCode="SBADM" moodCode={said}><id root="{OWN}" extension={said}/>
    <effectiveTime xsi:type="PIVL_TS"><period value={said} unit={said}/></effectiveTime><repeatNumber value={said}/>
    <consumable><manufacturedProduct><manufacturedMaterial><code code={said} codeSystem="{OWN}"/>
    </manufacturedMaterial></manufacturedProduct></consumable></substanceAdministration>"""
    sound(read(document(section(entries, "8716-3"), header=f"<versionNumber value={said}/>")))


def test_a_document_with_nothing_in_it() -> None:
    data = f"<ClinicalDocument {NS}><recordTarget><patientRole/></recordTarget></ClinicalDocument>".encode()
    reading = sound(read(data))
    assert reading.bundle["type"] == "collection"
    assert one(reading, "Composition")["title"] == "CDA"
