"""Our own rules: every paper passes, and an error planted in each required element of each form is caught by its rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path

import pytest
from lxml import etree

from docs import generate_schematron as generator
from mappings import cda
from mappings.cda import check
from mappings.cda.check import checked_tree
from mappings.cda.schematron import rules
from mappings.documents import form
from mappings.documents.form import Edition
from mappings.documents.narrative import BLANK
from mappings.formats import safe_xml
from tests.unit.cda.specimens import Filled, editions, specimen
from tests.unit.cda.test_render import PAPERS, V3, composed

EDITIONS = [pytest.param(paper, edition, id=f"{paper}-{edition.valid_from}") for paper, edition in editions()]
Plant = Callable[[etree._Element], None]


def found(root: etree._Element, paper: str = "") -> set[str]:
    return {problem.rule for problem in checked_tree(root, paper=paper).problems}


def one(root: etree._Element, path: str) -> etree._Element:
    nodes = root.xpath(path, namespaces=V3)
    assert isinstance(nodes, list)
    assert nodes, path
    node = nodes[0]
    assert isinstance(node, etree._Element)
    return node


def remove(path: str) -> Plant:
    def plant(root: etree._Element) -> None:
        node = one(root, path)
        parent = node.getparent()
        assert parent is not None
        parent.remove(node)

    return plant


def empty(path: str) -> Plant:
    def plant(root: etree._Element) -> None:
        node = one(root, path)
        for child in list(node):
            node.remove(child)
        node.text = None

    return plant


def say(path: str, text: str) -> Plant:
    def plant(root: etree._Element) -> None:
        empty(path)(root)
        one(root, path).text = text

    return plant


def attribute(path: str, name: str, value: str | None) -> Plant:
    def plant(root: etree._Element) -> None:
        node = one(root, path)
        if value is None:
            del node.attrib[name]
        else:
            node.set(name, value)

    return plant


def unnumbered(root: etree._Element) -> None:
    """Take every number of the person away."""
    while root.find("v3:recordTarget/v3:patientRole/v3:id", V3) is not None:
        remove("v3:recordTarget/v3:patientRole/v3:id")(root)


HEADER: list[tuple[str, Plant]] = [
    ("header-patient-id", unnumbered),
    ("header-realm", remove("v3:realmCode")),
    ("header-type", remove("v3:typeId")),
    ("header-template", remove("v3:templateId")),
    ("header-id", remove("v3:id")),
    ("header-code", attribute("v3:code", "code", None)),
    ("header-paper", attribute("v3:code/descendant-or-self::v3:*[last()]", "code", "other")),
    ("header-title", empty("v3:title")),
    ("header-time", attribute("v3:effectiveTime", "value", "20261105")),
    ("header-confidentiality", remove("v3:confidentialityCode")),
    ("header-language", attribute("v3:languageCode", "code", "en-US")),
    ("header-set", remove("v3:setId")),
    ("header-version", attribute("v3:versionNumber", "value", "0")),
    ("header-replaces", attribute("v3:versionNumber", "value", "2")),
    ("header-patient", remove("v3:recordTarget")),
    ("header-patient-name", empty("v3:recordTarget//v3:patient/v3:name")),
    ("header-patient-gender", remove("v3:recordTarget//v3:administrativeGenderCode")),
    ("header-patient-birth", remove("v3:recordTarget//v3:birthTime")),
    ("header-author", remove("v3:author")),
    ("header-author-time", attribute("v3:author/v3:time", "value", None)),
    ("header-custodian", remove("v3:custodian")),
    ("header-custodian-name", empty("v3:custodian//v3:name")),
    ("header-legal-authenticator", remove("v3:legalAuthenticator")),
    ("header-legal-authenticator", attribute("v3:legalAuthenticator/v3:signatureCode", "code", "X")),
    ("header-body", remove("v3:component/v3:structuredBody")),
]


def planted(edition: Edition) -> Iterator[tuple[str, Plant]]:
    """Give an error for each thing the form prescribes, with the rule that has to catch it."""
    name = edition.valid_from.isoformat()
    titles = [section.title for section in edition.sections]
    for n, section in enumerate(edition.sections, 1):
        at = f"//v3:structuredBody/v3:component[{n}]"
        key = f"{name}-{section.key}"
        if titles.count(section.title) == 1:
            yield key, remove(at)
        if section.loinc:
            yield f"{key}-code", remove(f"{at}/v3:section/v3:code")
        subtitle = [edition.subtitle] if section.key == "header" and edition.subtitle else []
        for number, _ in enumerate((*section.lines, *subtitle, *section.notes), 1):
            yield f"{key}-line-{number}", empty(f"{at}/v3:section/v3:text/v3:paragraph[{number}]")
        for row in section.rows:
            cell = f"{at}//v3:td[@ID = '{row.key}' or starts-with(@ID, '{row.key}.')]"
            yield f"{key}-{row.key}", remove(f"{cell}/..")
            yield f"{key}-{row.key}", empty(f"{cell}/../v3:th")
            if row.need == "R":
                yield f"{key}-{row.key}-said", empty(cell)
                if row.value.replace(f"{{{row.key}}}", "").strip() and f"{{{row.key}}}" in row.value:
                    yield f"{key}-{row.key}-said", say(cell, row.value.format_map(Filled({row.key: BLANK})).strip())
        for item in section.items:
            yield f"{key}-item-{item.key}", empty(f"{at}//v3:td[. = '{item.label}']")
        for column in section.columns:
            if not column.optional:
                yield f"{key}-column-{column.key}", empty(f"{at}//v3:th[. = '{column.label}']")
    last = "//v3:structuredBody/v3:component[last()]"
    yield f"{name}-signatures", remove(last)
    yield f"{name}-date", remove(f"{last}//v3:paragraph")
    ordered = sorted(edition.signers, key=lambda signer: ("left", "middle", "right").index(signer.side))
    for number, signer in enumerate(ordered, 1):
        yield f"{name}-signer-{number}", empty(f"{last}//v3:tr[{number}]/v3:th")
        if signer.need == "R":
            yield f"{name}-signer-{number}-said", empty(f"{last}//v3:tr[{number}]/v3:td")
            if signer.role == "professional" and not signer.key:
                yield f"{name}-authenticator", remove("v3:authenticator")


@pytest.mark.parametrize("paper", PAPERS)
def test_papers_pass(paper: str) -> None:
    checked = check.check(cda.render(composed(paper)))
    assert (checked.paper, checked.problems) == (paper, ())


@pytest.mark.parametrize(("paper", "edition"), EDITIONS)
def test_every_edition_of_every_form_passes(paper: str, edition: Edition) -> None:
    for version in (1, 2):
        checked = check.check(cda.render(specimen(paper, edition, version)))
        assert (checked.paper, checked.problems) == (paper, ())


@pytest.mark.parametrize(("paper", "edition"), EDITIONS)
def test_an_error_in_each_required_element_is_caught(paper: str, edition: Edition) -> None:
    good = safe_xml.parse(cda.render(specimen(paper, edition)))
    missed = []
    for rule, plant in [*HEADER, *planted(edition)]:
        root = deepcopy(good)
        plant(root)
        if rule not in found(root, paper):
            missed.append(rule)
    assert missed == []


@pytest.mark.parametrize(("paper", "edition"), EDITIONS)
def test_rows_and_sections_in_another_order_are_caught(paper: str, edition: Edition) -> None:
    good = safe_xml.parse(cda.render(specimen(paper, edition)))
    name = edition.valid_from.isoformat()
    for n, section in enumerate(edition.sections, 1):
        root = deepcopy(good)
        body = one(root, "//v3:structuredBody")
        if n > 1 and edition.sections[n - 2].title != section.title:
            body.insert(n - 2, body[n - 1])
            assert f"{name}-order-{n}" in found(root)
        if len(section.rows) > 1:
            root = deepcopy(good)
            rows = one(root, f"//v3:structuredBody/v3:component[{n}]//v3:tbody")
            rows.append(rows[0])
            assert f"{name}-{section.key}-{section.rows[1].key}-order" in found(root)


def test_a_pointer_to_nowhere_is_caught() -> None:
    root = safe_xml.parse(cda.render(composed("discharge_paper")))
    assert found(root) == set()
    one(root, "//v3:entry//v3:text/v3:reference").set("value", "#NOWHERE")
    assert found(root) == {"link"}


def test_a_signed_paper_is_checked_without_its_signature() -> None:
    root = safe_xml.parse(cda.render(composed("referral")))
    etree.SubElement(root, "{http://www.w3.org/2000/09/xmldsig#}Signature")
    checked = check.check(etree.tostring(root), etree.XMLSchema(etree.XML(_ANY)))
    assert checked.problems == ()


_ANY = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="urn:hl7-org:v3">
<xs:element name="ClinicalDocument"><xs:complexType><xs:sequence>
<xs:any namespace="urn:hl7-org:v3" processContents="skip" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
</xs:schema>"""


def test_the_schema_has_its_say_without_the_content() -> None:
    root = safe_xml.parse(cda.render(composed("referral")))
    etree.SubElement(root, "{http://example.org}secret").text = "0912345678"
    (problem,) = check.check(etree.tostring(root), etree.XMLSchema(etree.XML(_ANY))).problems
    assert problem.rule == "SCHEMAV_ELEMENT_CONTENT"
    assert "0912345678" not in repr(problem)


def test_a_document_of_others_has_no_rules_of_ours() -> None:
    assert check.check(b'<ClinicalDocument xmlns="urn:hl7-org:v3"/>') == check.Checked("", ())


def test_the_rules_beside_the_code_are_those_of_the_forms() -> None:
    assert not generator.stale(), "run: python docs/generate_schematron.py"


def test_planted_staleness_is_found(tmp_path: Path) -> None:
    generator.write(tmp_path)
    assert generator.stale(tmp_path) == []
    changed = tmp_path / f"{form.names()[0]}.sch"
    changed.write_text(changed.read_text(encoding="utf-8").replace("Thiếu", "Mất", 1), encoding="utf-8")
    (tmp_path / "nobodys.sch").write_text(rules(form.names()[0]), encoding="utf-8")
    (tmp_path / f"{form.names()[-1]}.sch").unlink()
    assert generator.stale(tmp_path) == [form.names()[0], form.names()[-1], "nobodys"]
