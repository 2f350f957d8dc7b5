"""What people see: any CDA as HTML that can do nothing, our papers as the printed form with the signatures that were given."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest
from lxml import etree
from lxml import html as lxml_html

from mappings import cda
from mappings.cda.faults import NotRendered
from mappings.cda.html import Copy, Options, Signed, Stamp, html
from mappings.documents import versions
from mappings.formats.faults import XmlRefused
from tests.conftest import CORPORA
from tests.unit.cda.test_render import HOSTILE, composed, find
from tests.unit.documents.reading import cells, labels, titles
from tests.unit.documents.samples import CONTEXT, FORMED, SAMPLES, sample

FOREIGN = sorted((CORPORA / "cda").glob("*/*.xml")) if (CORPORA / "cda").exists() else []
PAPERS = sorted(SAMPLES)
AT = datetime(2026, 11, 5, 3, 20, 7, tzinfo=UTC)
DOCTOR = Signed("professional", "Nguyễn Văn An", "Bác sĩ điều trị", AT, "540101A1B2C3D4E5F60718293A4B5C6D")
SEAL = Signed("legal", "Bệnh viện Đa khoa Sông Hồng", "", AT, "5401ABCD")
PNG = b64encode(b"\x89PNG\r\n\x1a\n" + b"\x00" * 40).decode()

_TAGS = frozenset(
    {
        "html", "head", "meta", "title", "style", "body", "div", "main", "header", "footer", "nav",
        "section", "article", "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "dl", "dt", "dd", "ul", "ol",
        "li", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "span", "strong", "a", "img",
        "del", "ins", "sub", "sup", "pre",
    }
)  # fmt: skip
_ATTRIBUTES = frozenset(
    {
        "lang", "class", "id", "href", "rel", "src", "alt", "scope", "colspan", "rowspan", "type", "role",
        "aria-label", "aria-hidden", "http-equiv", "content", "name",
    }
)  # fmt: skip
_INLINE = frozenset(["span", "strong", "a", "del", "ins", "sub", "sup"])
_DATA = re.compile(r"data:image/(png|jpeg|gif);base64,[A-Za-z0-9+/=]+|data:image/svg\+xml;charset=utf-8,%3Csvg[^<>\"]*")


def page(data: bytes, options: Options | None = None) -> etree._Element:
    written = html(data, options) if options else html(data)
    assert written.startswith(b"<!DOCTYPE html>\n")
    return lxml_html.document_fromstring(written, parser=lxml_html.HTMLParser(encoding="utf-8"))


def ours(paper: str, options: Options | None = None) -> etree._Element:
    return page(cda.render(composed(paper)), options)


def text(node: etree._Element) -> str:
    """Give the words of an element as they are read: blocks are apart."""
    parts: list[str] = []
    for event, one in etree.iterwalk(node, events=("start", "end")):
        if one.tag not in _INLINE:
            parts.append(" ")
        if event == "start":
            parts.append(one.text or "")
        elif one is not node:
            parts.append(one.tail or "")
    return " ".join("".join(parts).split())


def of_class(root: etree._Element, name: str) -> list[etree._Element]:
    found = root.xpath(f".//*[contains(concat(' ', @class, ' '), ' {name} ')]")
    assert isinstance(found, list)
    return [node for node in found if isinstance(node, etree._Element)]


def dangers(root: etree._Element) -> list[str]:
    """List everything that could run, load or leave the page."""
    written = etree.tostring(root)
    found = ["comment or instruction"] if b"<!--" in written or b"<?" in written else []
    for node in root.iter(etree.Element):
        if node.tag not in _TAGS:
            found.append(f"<{node.tag}>")
        found += [f"{node.tag}@{name!s}" for name in node.attrib if name not in _ATTRIBUTES]
        if node.tag == "img" and not _DATA.fullmatch(node.get("src", "")):
            found.append(f"img {node.get('src')}")
        if node.get("href") and not re.match(r"#|https?://|mailto:", node.get("href", "")):
            found.append(f"href {node.get('href')}")
        if node.tag == "meta" and node.get("http-equiv", "").lower() not in (
            "",
            "content-type",
            "content-security-policy",
        ):
            found.append("meta")
    policy = root.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    styles = root.xpath("//style")
    assert isinstance(policy, list)
    assert isinstance(styles, list)
    assert len(styles) == 1
    style = styles[0]
    assert isinstance(style, etree._Element)
    digest = b64encode(sha256((style.text or "").encode()).digest()).decode()
    if policy != [
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    ]:
        found.append("policy")
    if re.search(r"url\s*\(|@import|expression|[<\\]/", style.text or ""):
        found.append("style")
    return found


def is_sound(root: etree._Element) -> bool:
    """Say whether language, one h1, headings without gaps, scopes and unique ids are there."""
    levels = [int(node.tag[1]) for node in root.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    ids = [node.get("id") for node in root.iter() if node.get("id")]
    return (
        root.get("lang") == "vi"
        and set(levels[:1]) == {1}
        and all(after <= before + 1 for before, after in pairwise(levels))
        and len(ids) == len(set(ids))
        and all(node.get("scope") for node in root.iter("th"))
        and all(node.get("alt") for node in root.iter("img"))
        and len(list(root.iter("main"))) == 1
    )


@pytest.mark.parametrize("paper", PAPERS)
def test_our_papers_show_every_field_and_nothing_that_runs(paper: str) -> None:
    bundle = composed(paper)
    root = page(cda.render(bundle))
    assert dangers(root) == []
    assert is_sound(root)
    shown = text(root)
    for label in labels(bundle):
        assert " ".join(label.split()) in shown
    for value in cells(bundle).values():
        for line in value.replace("☐", "\n").replace("☒", "\n").split("\n"):
            assert " ".join(line.split()) in shown
    (heading,) = {text(node) for node in root.iter("h1")}
    assert heading in titles(paper)


def test_the_form_is_laid_out_as_printed() -> None:
    root = ours("discharge_paper")
    furniture = of_class(root, "furniture")[0]
    left, motto, right = furniture
    assert re.fullmatch("Cơ quan chủ quản: .* Cơ sở khám bệnh, chữa bệnh: .* Khoa: .* Số: .*", text(left))
    assert text(motto) == "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM Độc lập - Tự do - Hạnh phúc"
    assert text(right).startswith("MS: 02")
    assert [text(node[0]) for node in of_class(root, "strong")] == ["Cơ sở khám bệnh, chữa bệnh:"]
    assert [text(node) for node in of_class(root, "hide")][:2] == ["Cơ quan chủ quản:", "Cơ sở khám bệnh, chữa bệnh:"]
    assert of_class(root, "extras")
    lines = [text(node) for node in of_class(root, "line")]
    assert any("Ngày/tháng/năm sinh:" in line and "Nam/Nữ:" in line for line in lines)
    assert [text(node) for node in of_class(root, "label")] == [
        "Đại diện đơn vị",
        "Người hành nghề khám bệnh, chữa bệnh",
    ]


def test_boxes_say_whether_they_are_crossed() -> None:
    root = ours("lab_report")
    assert [box.get("aria-label") for box in of_class(root, "box")] == ["không chọn", "đã chọn"]
    assert [text(choice) for choice in of_class(root, "choice")] == ["Thường", "× Cấp cứu"]


def test_an_empty_field_is_a_dotted_line() -> None:
    root = ours("discharge_paper")
    assert len(of_class(root, "blank")) >= 1
    for blank in of_class(root, "blank"):
        assert text(blank) == ""


def test_without_signatures_the_page_says_so() -> None:
    root = ours("discharge_paper")
    assert text(of_class(root, "unsigned")[0]) == "Chưa ký số: Đại diện đơn vị; Người hành nghề khám bệnh, chữa bệnh."
    assert of_class(root, "signed") == []
    assert "content:'CH\\0001afA\\000020K\\0000dd" in (root.findtext(".//style") or "")


def test_signatures_stand_in_their_slots() -> None:
    root = ours("discharge_paper", Options((SEAL, DOCTOR)))
    left, right = of_class(root, "slot")
    assert "Ký bởi: Bệnh viện Đa khoa Sông Hồng" in text(left)
    assert "Ký bởi: Nguyễn Văn An Bác sĩ điều trị" in text(right)
    assert "Thời gian ký: 05/11/2026 10:20:07" in text(right)
    assert "Số sê-ri chứng thư: …F60718293A4B5C6D" in text(right)
    assert of_class(root, "unsigned") == []


def test_one_signature_of_two_leaves_the_other_slot_unsigned() -> None:
    root = ours("discharge_paper", Options((DOCTOR,)))
    assert text(of_class(root, "unsigned")[0]) == "Chưa ký số: Đại diện đơn vị."


def test_a_signature_without_slot_is_shown_too() -> None:
    root = ours("discharge_paper", Options((DOCTOR, DOCTOR, SEAL)))
    assert len(of_class(root, "signed")) == 3
    assert len(of_class(of_class(root, "seals")[0], "signed")) >= 1


def test_stamps() -> None:
    assert text(of_class(ours("discharge_paper", Options(stamp=Stamp.REISSUED)), "stamp")[0]) == "CẤP LẠI"
    assert of_class(ours("discharge_paper", Options(stamp=Stamp.REISSUED)), "watermark") == []
    assert text(of_class(ours("discharge_paper", Options(stamp=Stamp.CANCELLED)), "watermark")[0]) == "ĐÃ HỦY"


def test_a_paper_copy_says_what_it_is() -> None:
    copy = Copy("Liên Thông", "Bệnh viện <b>", "GRV-26-1", AT, "Lê Thị Văn Thư")
    shown = text(of_class(ours("discharge_paper", Options(copy=copy)), "copy")[0])
    for part in ("BẢN GIẤY CHUYỂN ĐỔI TỪ BẢN ĐIỆN TỬ", "Liên Thông", "Bệnh viện <b>", "GRV-26-1", "Lê Thị Văn Thư"):
        assert part in shown
    assert "05/11/2026 10:20:07" in shown


def test_the_code_is_the_hash_of_the_bytes_and_nothing_else() -> None:
    data = cda.render(composed("discharge_paper"))
    root = page(data, Options(verify_at="https://tra-cuu.example/"))
    assert text(of_class(root, "code")[0]) == sha256(data).hexdigest()
    assert dangers(root) == []
    with pytest.raises(NotRendered):
        html(data, Options(verify_at="https://tra-cuu.example/", code="Đặng Thị Thuỳ Ưởng"))


def test_identity_stands_in_the_margin_of_every_page() -> None:
    style = ours("discharge_paper").findtext(".//style") or ""
    margin = re.search(r"@bottom-left\{[^}]*content:'([^']*)'", style)
    assert margin
    said = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), margin[1])
    assert said.startswith("Người bệnh: Đặng Thị Thuỳ Ưởng – Số hồ sơ: ")
    assert "counter(page) '/' counter(pages)" in style


@pytest.mark.parametrize("paper", PAPERS)
def test_hostile_record(paper: str) -> None:
    _, record = sample(paper)
    person = find(record, "Patient/bn1")
    person["name"] = [{"text": HOSTILE + "'} body{background:url(http://x)} </style><script>"}]
    for resource in record:
        if "valueString" in resource and resource["code"]["coding"][0].get("code") not in FORMED:
            resource["valueString"] = HOSTILE
    root = page(cda.render(composed(paper, record)))
    assert dangers(root) == []
    assert is_sound(root)


def document(body: str, header: str = "", title: str = "x") -> bytes:
    return f"""<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
    <title>{title}</title>{header}<component>{body}</component></ClinicalDocument>""".encode()


def section(narrative: str, entries: str = "", attributes: str = "") -> bytes:
    return document(
        f"<structuredBody><component><section><title>S</title><text {attributes}>{narrative}</text>{entries}</section>"
        "</component></structuredBody>"
    )


ATTACKS = {
    "script": "<script>alert(1)</script>",
    "html script": "<script xmlns='http://www.w3.org/1999/xhtml'>alert(1)</script>",
    "capitals": "<SCRIPT>alert(1)</SCRIPT>",
    "handlers": "<content onclick='alert(1)' onmouseover='x' style='background:url(http://x)'>t</content>",
    "table": "<table onload='x' background='http://x' style='x'><tbody><tr><td colspan='9e9' rowspan='-1'"
    " bgcolor='x'>t</td></tr></tbody></table>",
    "javascript": "<linkHtml href='javascript:alert(1)'>t</linkHtml><linkHtml href=' JaVaScRiPt:alert(1)'>t</linkHtml>"
    "<linkHtml href='java&#10;script:alert(1)'>t</linkHtml><linkHtml href='data:text/html,x'>t</linkHtml>",
    "frames": "<iframe src='http://x'/><object data='x'/><embed src='x'/><svg onload='x'/><base href='http://x'/>",
    "image": "<img src='http://x' onerror='x'/><renderMultiMedia referencedObject='none'/>",
    "style": "<style>@import url(http://x)</style><link rel='stylesheet' href='http://x'/>",
    "styleCode": "<paragraph styleCode='Bold&quot; onclick=&quot;x xRows url(http://x)'>t</paragraph>",
    "instruction": "<?xml-stylesheet href='http://x'?><!-- <script> --><![CDATA[<script>alert(1)</script>]]>",
    "id": "<paragraph ID='a'>t</paragraph><content ID='b'>t</content><linkHtml href='#a'>t</linkHtml>",
    "css": "<paragraph styleCode='xDate'>&lt;/style&gt;&lt;script&gt;</paragraph>",
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
@pytest.mark.parametrize("place", ["", "styleCode='xHeader'"], ids=["foreign", "form"])
def test_hostile_narrative(attack: str, place: str) -> None:
    root = page(section(ATTACKS[attack], attributes=place))
    assert dangers(root) == []
    assert "alert(1)" not in text(root) or attack == "instruction"


@pytest.mark.parametrize("place", ["<structuredBody", "</ClinicalDocument>"])
def test_a_document_cannot_say_what_stands_beside_it(place: str) -> None:
    forged = (
        "<v:view xmlns:v='urn:lienthong:view' policy='none' style='p{}' stamp='GIẢ' layout='hide'>"
        "<v:signed name='Kẻ Giả' at='x' serial='1'/></v:view>"
    )
    plain = section("<paragraph>t</paragraph>")
    assert html(plain.decode().replace(place, forged + place, 1).encode()) == html(plain)


def test_a_document_cannot_choose_the_class_of_a_cell() -> None:
    cell = "<td fit='hide' v:fit='hide' xmlns:v='urn:lienthong:view'>một ô có nhiều chữ</td>"
    assert b"hide" not in html(section(f"<table><tbody><tr>{cell}</tr></tbody></table>")).partition(b"</style>")[2]


def test_the_check_for_dangers_sees_them() -> None:
    clean = html(section("<paragraph>t</paragraph>")).decode()
    for planted in (
        "<script>x</script>",
        "<p onclick='x'>t</p>",
        "<a href='javascript:x'>t</a>",
        "<img src='http://x' alt='x'>",
        "<!-- x -->",
        "<meta http-equiv='refresh' content='0'>",
        "<p style='x'>t</p>",
    ):
        root = lxml_html.document_fromstring(clean.replace("<p>t</p>", planted))
        assert dangers(root), planted
    changed = lxml_html.document_fromstring(clean.replace("</style>", "p{}</style>"))
    assert dangers(changed) == ["policy"]


def test_a_moment_in_a_cell_stays_on_one_line() -> None:
    cells_ = "<td>08:10 20/11/2026</td><td>Tỷ lệ bạch cầu</td>"
    root = page(section(f"<table><tbody><tr>{cells_}</tr></tbody></table>"))
    assert [text(cell) for cell in root.iter("td") if "short" in (cell.get("class") or "")] == ["08:10 20/11/2026"]


def test_narrative_markup() -> None:
    root = page(
        section(
            "<paragraph ID='p1'><caption>Đầu</caption>a<br/><content styleCode='Bold Italics'>b</content><sub>2</sub>"
            "<sup>3</sup><content revised='delete'>cũ</content><content revised='insert'>mới</content></paragraph>"
            "<list listType='ordered' styleCode='BigRoman'><caption>C</caption><item>i<list><item>ii</item></list></item>"
            "</list>"
            "<table><caption>T</caption><col width='3'/><thead><tr><th>A</th><th colspan='2'>B</th></tr></thead>"
            "<tfoot><tr><td colspan='3'>F</td></tr></tfoot><tbody><tr><th>R</th><td align='right'>1</td><td>2</td></tr></tbody>"
            "</table><footnote ID='f1'>chú thích</footnote><footnoteRef IDREF='f1'/><linkHtml href='#p1'>lên</linkHtml>"
            "<linkHtml href='https://example.vn/?a=1&amp;b=2'/><unknown>còn đây</unknown>"
        )
    )
    assert dangers(root) == []
    assert is_sound(root)
    assert [node.get("id") for node in root.iter("p", "span") if node.get("id")] == ["n-p1", "n-f1"]
    assert [node.get("href") for node in root.iter("a")] == ["#n-f1", "#n-p1", "https://example.vn/?a=1&b=2"]
    assert [text(node) for tag in ("del", "ins", "sub", "sup") for node in root.iter(tag)] == ["cũ", "mới", "2", "3"]
    assert [(node.get("scope"), node.get("colspan")) for node in root.iter("th")] == [
        ("col", None),
        ("col", "2"),
        ("row", None),
    ]
    assert [node.get("type") for node in root.iter("ol")] == ["I"]
    assert [node.tag for node in next(root.iter("table"))] == ["caption", "thead", "tbody", "tfoot"]
    assert "còn đây" in text(root)
    assert of_class(root, "bold")[0].get("class") == "bold italics"


@pytest.mark.parametrize(
    ("columns", "style", "size"),
    [
        (6, "wide", "A4"),
        (7, "wide tight", "A4"),
        (10, "wide tight", "A4 landscape"),
        (15, "wide tight dense", "A4 landscape"),
    ],
)
def test_tables_of_many_columns_stay_on_the_page(columns: int, style: str, size: str) -> None:
    root = page(section(f"<table><tbody><tr>{'<td>x</td>' * columns}</tr></tbody></table>"))
    assert [node.get("class") for node in of_class(root, "wide")] == [style]
    assert f"size:{size};" in (root.findtext(".//style") or "")


def media(value: str) -> etree._Element:
    entry = f"<entry><observationMedia ID='M1'>{value}</observationMedia></entry>"
    return page(section("<paragraph><renderMultiMedia referencedObject='M1'/></paragraph>", entry))


def test_pictures_of_known_kinds_only() -> None:
    root = media(f"<value mediaType='image/png' representation='B64'>{PNG[:20]}\n{PNG[20:]}</value>")
    assert dangers(root) == []
    assert [b64decode(node.get("src", "").partition(",")[2]) for node in root.iter("img")] == [b64decode(PNG)]
    for value in (
        "<value mediaType='image/svg+xml' representation='B64'>PHN2Zz4=</value>",
        "<value mediaType='image/png' representation='B64'>\"&gt;&lt;script&gt;</value>",
        "<value mediaType='image/png'><reference value='http://x/a.png'/></value>",
        "<value mediaType='text/html'>&lt;script&gt;alert(1)&lt;/script&gt;</value>",
        "<value mediaType='image/png' representation='B64'>" + "A" * 8_000_004 + "</value>",
    ):
        root = media(value)
        assert list(root.iter("img")) == []
        assert "Tệp đính kèm" in text(root)
        assert dangers(root) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("mediaType='text/plain'>a &lt;b&gt; c", "a <b> c"),
        (f"mediaType='text/plain' representation='B64'>{b64encode('dấu'.encode()).decode()}", "dấu"),
        (
            "mediaType='application/pdf' representation='B64'>" + "A" * 8192,
            "Tệp đính kèm: application/pdf, khoảng 6 KB",
        ),
        ("mediaType='application/pdf'><reference value='a.pdf'/>", "nằm ngoài tài liệu tại a.pdf"),
        ("mediaType='text/plain' representation='B64'>/w==", "Tệp đính kèm: text/plain"),
    ],
)
def test_bodies_that_are_no_xml(value: str, shown: str) -> None:
    root = page(document(f"<nonXMLBody><text {value}</text></nonXMLBody>"))
    assert shown in text(root)
    assert dangers(root) == []


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("1957", "1957"),
        ("195703", "03/1957"),
        ("19570312", "12/03/1957"),
        ("195703120805+0700", "08:05 12/03/1957"),
        ("19570312080510.123-0500", "08:05 12/03/1957 (UTC-0500)"),
        ("195", "195"),
        ("1957-03-12", "1957-03-12"),
    ],
)
def test_times_are_vietnamese(value: str, shown: str) -> None:
    header = f"<recordTarget><patientRole><patient><birthTime value='{value}'/></patient></patientRole></recordTarget>"
    root = page(document("<structuredBody/>", header))
    assert f"Ngày sinh: {shown}" in text(root)


def test_what_is_no_cda() -> None:
    with pytest.raises(NotRendered):
        html(b"<Patient xmlns='http://hl7.org/fhir'/>")
    with pytest.raises(XmlRefused):
        html(b"<!DOCTYPE x [<!ENTITY a 'b'>]><ClinicalDocument xmlns='urn:hl7-org:v3'>&a;</ClinicalDocument>")
    with pytest.raises(NotRendered):
        html(section("<renderMultiMedia referencedObject='" + "a " * 20_000 + "'/>"))


def test_same_bytes_again() -> None:
    data = cda.render(composed("discharge_paper"))
    options = Options((DOCTOR,), Stamp.DRAFT, Copy("a", "b", "c", AT, "d"), "https://x/")
    assert html(data, options) == html(data, options)


@pytest.mark.parametrize("file", FOREIGN, ids=lambda file: file.stem[:40])
def test_foreign_documents(file: Path) -> None:
    data = file.read_bytes()
    try:
        root = page(data)
    except XmlRefused:
        assert file.parent.name == "not-well-formed"
        return
    assert dangers(root) == []
    assert is_sound(root)


def test_a_reissued_paper_is_stamped_once() -> None:
    data = cda.render(composed("discharge_paper", reissue=True))
    for options in (Options(), Options(stamp=Stamp.REISSUED)):
        assert [text(stamp) for stamp in of_class(page(data, options), "stamp")] == ["CẤP LẠI"]


def test_a_withdrawn_paper_says_so_on_its_face_and_keeps_its_form() -> None:
    context = replace(
        CONTEXT, number=CONTEXT.number[:-1] + "9", replaces=CONTEXT.number, version=2, reason="Nhầm người"
    )
    root = page(cda.render(versions.cancel(composed("discharge_paper"), context)))
    assert text(of_class(root, "watermark")[0]) == "ĐÃ HỦY"
    assert "GIẤY NÀY ĐÃ BỊ HỦY" in text(of_class(root, "before")[0])
    assert [text(node) for node in root.iter("h1")] == ["GIẤY RA VIỆN"]
    assert len(of_class(root, "slot")) == 2
    assert is_sound(root)
