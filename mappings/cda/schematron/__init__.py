"""Our own rules for the CDA of each paper, written from its form: Schematron that any integrator can run.

One file per paper beside this module, made by `docs/generate_schematron.py`: the header every paper has, and for each edition
of the form its sections, labels in order, required items, tables and signature blocks. Does not say whether what stands in a
row is true, and does not repeat the schema of CDA.

Standard: ISO/IEC 19757-3 (Schematron), query binding XSLT 1.0
Requirement: S3.3
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import pairwise

from mappings.documents import form
from mappings.documents.form import Edition, Form, Row, Section
from mappings.documents.narrative import BLANK

SVRL = "http://purl.oclc.org/dsdl/svrl"

_HEADER = (
    ("realm", "v3:realmCode/@code", "Thiếu mã vùng (realmCode)"),
    (
        "type",
        "v3:typeId[@root = '2.16.840.1.113883.1.3' and @extension = 'POCD_HD000040']",
        "Thiếu loại tài liệu CDA R2 (typeId)",
    ),
    ("id", "v3:id/@root", "Thiếu số của bản này (id)"),
    ("code", "v3:code/@code", "Thiếu mã loại giấy (code)"),
    ("title", "normalize-space(v3:title)", "Thiếu tên giấy (title)"),
    ("time", "string-length(v3:effectiveTime/@value) >= 14", "Thiếu thời điểm lập giấy (effectiveTime)"),
    ("confidentiality", "v3:confidentialityCode/@code", "Thiếu mức bảo mật (confidentialityCode)"),
    ("language", "starts-with(v3:languageCode/@code, 'vi')", "Giấy phải bằng tiếng Việt (languageCode)"),
    ("set", "v3:setId/@root", "Thiếu số chung của các bản (setId)"),
    ("version", "v3:versionNumber/@value >= 1", "Thiếu số thứ tự của bản (versionNumber)"),
    (
        "replaces",
        "not(v3:versionNumber/@value > 1) or v3:relatedDocument[@typeCode = 'RPLC']/v3:parentDocument/v3:id/@root",
        "Bản sửa không nói nó thay bản nào (relatedDocument RPLC)",
    ),
    ("patient", "v3:recordTarget/v3:patientRole", "Thiếu người bệnh (recordTarget)"),
    ("author", "v3:author/v3:assignedAuthor/v3:id", "Thiếu người lập giấy (author)"),
    ("author-time", "v3:author/v3:time/@value", "Thiếu thời điểm lập của người lập giấy (author/time)"),
    (
        "custodian",
        "v3:custodian/v3:assignedCustodian/v3:representedCustodianOrganization/v3:id/@root",
        "Thiếu cơ sở lưu giữ (custodian)",
    ),
    (
        "custodian-name",
        "normalize-space(v3:custodian/v3:assignedCustodian/v3:representedCustodianOrganization/v3:name)",
        "Thiếu tên cơ sở lưu giữ (custodian/name)",
    ),
    (
        "legal-authenticator",
        "v3:legalAuthenticator[v3:time/@value and v3:signatureCode/@code = 'S']/v3:assignedEntity/v3:id",
        "Thiếu cơ sở chịu trách nhiệm pháp lý (legalAuthenticator)",
    ),
    ("body", "v3:component/v3:structuredBody/v3:component/v3:section", "Thiếu nội dung giấy (structuredBody)"),
)
_PATIENT = (
    ("patient-id", "v3:id[@root or @nullFlavor]", "Thiếu mã người bệnh (patientRole/id)"),
    ("patient-name", "normalize-space(v3:patient/v3:name)", "Thiếu họ tên người bệnh (patient/name)"),
    (
        "patient-gender",
        "v3:patient/v3:administrativeGenderCode[@code or @nullFlavor]",
        "Thiếu giới tính người bệnh (administrativeGenderCode)",
    ),
    (
        "patient-birth",
        "v3:patient/v3:birthTime[@value or @nullFlavor]",
        "Thiếu ngày sinh người bệnh (birthTime)",
    ),
)
_ATTESTED = (
    "../../v3:authenticator[v3:time/@value and v3:signatureCode/@code]"
    "/v3:assignedEntity[v3:id and normalize-space(v3:assignedPerson/v3:name)]"
)
_LINKS = (
    "link",
    "/v3:ClinicalDocument/v3:component/v3:structuredBody//v3:section/v3:text"
    "/descendant-or-self::*[@ID = substring-after(current()/@value, '#')]",
    "Mục mã hóa trỏ đến chỗ không có trong phần đọc được",
)


def rules(paper: str) -> str:
    """Write the Schematron of a paper; raises `PaperUnknown`."""
    known = form.form(paper)
    return "\n".join(_schema(known)) + "\n"


def _schema(known: Form) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield "<!-- Made by docs/generate_schematron.py from the form; a test fails when it is stale. Do not edit by hand. -->"
    yield '<schema xmlns="http://purl.oclc.org/dsdl/schematron" queryBinding="xslt">'
    yield f"  <title>{_text(known.title)}</title>"
    yield '  <ns prefix="v3" uri="urn:hl7-org:v3"/>'
    yield '  <ns prefix="xsi" uri="http://www.w3.org/2001/XMLSchema-instance"/>'
    yield '  <pattern id="header">'
    yield '    <rule context="/v3:ClinicalDocument">'
    yield from (_assert(f"header-{name}", test, said) for name, test, said in (*_HEADER, *_kind(known)))
    yield "    </rule>"
    yield '    <rule context="/v3:ClinicalDocument/v3:recordTarget/v3:patientRole">'
    yield from (_assert(f"header-{name}", test, said) for name, test, said in _PATIENT)
    yield "    </rule>"
    yield "  </pattern>"
    yield '  <pattern id="links">'
    yield "    <rule context=\"v3:entry//v3:text/v3:reference[starts-with(@value, '#')]\">"
    yield _assert(*_LINKS)
    yield "    </rule>"
    yield "  </pattern>"
    for edition in known.editions:
        yield from _edition(known.paper, known.title, edition)
    yield "</schema>"


def _kind(known: Form) -> Iterator[tuple[str, str, str]]:
    """Say that the document is this paper, in an edition that is known."""
    editions = " or ".join(f"v3:templateId/@extension = {_string(template(known.paper, e))}" for e in known.editions)
    yield "template", editions, "Thiếu mẫu giấy và ngày có hiệu lực của mẫu (templateId)"
    yield (
        "paper",
        f"v3:code/@code = {_string(known.paper)} or v3:code/v3:translation/@code = {_string(known.paper)}",
        f"Giấy không phải là {known.paper} (code/translation)",
    )


def template(paper: str, edition: Edition) -> str:
    """Give the extension of the `templateId` of an edition."""
    return f"{paper}:{edition.valid_from.isoformat()}"


def _edition(paper: str, title: str, edition: Edition) -> Iterator[str]:
    name = edition.valid_from.isoformat()
    known = f"v3:templateId/@extension = {_string(template(paper, edition))}"
    yield f'  <pattern id="edition-{name}">'
    yield f'    <rule context="{_text(f"/v3:ClinicalDocument[{known}]/v3:component/v3:structuredBody")}">'
    yield from _signed(edition, name)
    paths = _paths(edition, title)
    for section, path in zip(edition.sections, paths, strict=True):
        yield from _section(section, edition, path, name)
    for number, (before, after) in enumerate(pairwise(paths), 2):
        said = f"Phần {number} của giấy không đứng sau phần {number - 1}"
        yield _assert(f"{name}-order-{number}", _follows(before, after), said)
    yield "    </rule>"
    yield "  </pattern>"


def _paths(edition: Edition, title: str) -> list[str]:
    """Give the path of each section: by its title, and its number among those of the same title.

    The first has the title of the paper, or of one of its kinds.
    """
    found: list[str] = []
    titles: list[str] = []
    for section in edition.sections:
        titles.append(section.title)
        named = [section.title]
        if section.key == "header":
            named = list(dict.fromkeys([title, *edition.titles.values()]))
        any_of = " or ".join(f"v3:section/v3:title = {_string(one)}" for one in named)
        same = f"v3:component[{any_of}]"
        found.append(f"{same}[{titles.count(section.title)}]")
    return found


def _follows(before: str, after: str) -> str:
    """Say that a section stands after another one."""
    return f"count({after}/preceding-sibling::v3:component) > count({before}/preceding-sibling::v3:component)"


def _section(section: Section, edition: Edition, path: str, name: str) -> Iterator[str]:
    key = f"{name}-{section.key}"
    yield _assert(key, path, f"Thiếu phần “{section.title}”")
    if section.loinc:
        code = f"{path}/v3:section/v3:code/@code = {_string(section.loinc)}"
        yield _assert(f"{key}-code", code, f"Phần “{section.title}” thiếu mã LOINC {section.loinc}")
    subtitle = [edition.subtitle] if section.key == "header" and edition.subtitle else []
    for number, line in enumerate((*section.lines, *subtitle, *section.notes), 1):
        shown = f"{path}/v3:section/v3:text/v3:paragraph[. = {_string(_flat(line))}]"
        yield _assert(f"{key}-line-{number}", shown, f"Thiếu dòng chữ “{_flat(line)}”")
    before: Row | None = None
    for row in section.rows:
        yield from _row(row, before, path, key)
        before = row
    columns = [column for column in section.columns if not column.optional]
    for number, column in enumerate(columns):
        heads = f"{path}/v3:section/v3:text/v3:table/v3:thead/v3:tr"
        head = f"{heads}/v3:th[. = {_string(_flat(column.label))}]"
        if number:
            head += f"[preceding-sibling::v3:th[. = {_string(_flat(columns[number - 1].label))}]]"
        if section.empty:
            text = f"{path}/v3:section/v3:text"
            words = f"{text}/v3:paragraph[. = {_string(_flat(section.empty))}]"
            head += f" or not({text}//v3:thead) and ({words} or {text}//v3:td[normalize-space()])"
        yield _assert(f"{key}-column-{column.key}", head, f"Thiếu cột “{_flat(column.label)}” đúng thứ tự")
    for item in section.items:
        cell = f"{path}/v3:section/v3:text/v3:table/v3:tbody/v3:tr/v3:td[. = {_string(_flat(item.label))}]"
        yield _assert(f"{key}-item-{item.key}", cell, f"Thiếu dòng “{_flat(item.label)}” của bảng")


def _row(row: Row, before: Row | None, path: str, key: str) -> Iterator[str]:
    cell = f"{path}/v3:section/v3:text/v3:table/v3:tbody/v3:tr[v3:th = {_string(_flat(row.label))}]/v3:td[{_named(row.key)}]"
    name = _flat(row.label).rstrip(": ") or row.key
    yield _assert(f"{key}-{row.key}", cell, f"Thiếu dòng “{name}” ({row.key})")
    if before is not None:
        above = f"{cell}[../preceding-sibling::v3:tr/v3:td[{_named(before.key)}]]"
        yield _assert(f"{key}-{row.key}-order", above, f"Dòng “{name}” ({row.key}) không đúng thứ tự của mẫu")
    if row.need == "R":
        yield _assert(f"{key}-{row.key}-said", _said(row, cell), f"Dòng “{name}” ({row.key}) bắt buộc mà để trống")


def _said(row: Row, cell: str) -> str:
    """Say that something stands where the template of a row has the row's own key; of boxes alone that one is crossed."""
    if row.choices and not row.value:
        return f"contains({cell}, '☒')"
    said = f"normalize-space({cell})"
    before, found, after = row.value.partition("{" + row.key + "}")
    if found:
        if start := before.rpartition("}")[2].strip():
            said = f"substring-after({said}, {_string(start)})"
        if end := after.partition("{")[0].strip():
            said = f"substring-before({said}, {_string(end)})"
    if found and (before or after):
        return f"normalize-space({said}) and normalize-space({said}) != '{BLANK}'"
    return f"normalize-space({said})"


def _signed(edition: Edition, name: str) -> Iterator[str]:
    """Say that the signature blocks stand at the end, that who must sign is named, and in the header too."""
    section = "v3:component[v3:section/v3:title = 'Chữ ký'][last()]/v3:section/v3:text"
    yield _assert(f"{name}-signatures", section, "Thiếu phần chữ ký")
    date = f"normalize-space({section}/v3:paragraph[{_named('NGAY_CT')}])"
    yield _assert(f"{name}-date", date, "Thiếu dòng ngày ký (NGAY_CT)")
    ordered = sorted(edition.signers, key=lambda signer: ("left", "middle", "right").index(signer.side))
    for number, signer in enumerate(ordered, 1):
        label = _flat(f"{signer.label}\n{signer.hint}".strip())
        row = f"{section}/v3:table/v3:tbody/v3:tr[{number}][v3:th = {_string(label)}]/v3:td[{_named(f'KY-{number}')}]"
        yield _assert(f"{name}-signer-{number}", row, f"Thiếu ô ký “{signer.label}”")
        if signer.need != "R":
            continue
        named, attested = f"normalize-space({row})", f"boolean({_ATTESTED})"
        said = f"Ô ký “{signer.label}” bắt buộc mà chưa có họ tên"
        yield _assert(f"{name}-signer-{number}-said", f"{named} or not({attested})" if signer.unless else named, said)
        if signer.role == "professional" and not signer.key:
            test = f"{attested} or not({named})" if signer.unless else attested
            yield _assert(f"{name}-authenticator", test, "Thiếu người hành nghề ký giấy (authenticator)")


def _named(key: str) -> str:
    """Say that an element has the id of a key; the second of one id in a document has a number after it."""
    return f"@ID = {_string(key)} or starts-with(@ID, {_string(key + '.')})"


def _flat(label: str) -> str:
    """Give a label as its text is: a line end is an element."""
    return label.replace("\n", "")


def _string(text: str) -> str:
    """Write a string of XPath 1.0, which has no escapes."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    parts = text.split("'")
    return "concat('" + "', \"'\", '".join(parts) + "')"


def _assert(name: str, test: str, said: str) -> str:
    return f'      <assert id="{_text(name)}" test="{_text(test)}">{_text(said)}</assert>'


def _text(text: str) -> str:
    return escape(text, quote=False).replace('"', "&quot;")
