"""FHIR JSON becomes the FHIR XML of the standard."""

from __future__ import annotations

from typing import Any

import pytest
from lxml import etree

from conformance.validators.definitions import definitions
from conformance.validators.finding import read
from conformance.validators.schema import schema
from conformance.validators.to_xml import NoSuchElement, to_xml
from tests.judges.sample import XHTML

JSON = f"""{{
 "resourceType": "Observation", "id": "b1", "status": "final",
 "contained": [{{"resourceType": "Device", "id": "d", "distinctIdentifier": "1"}}],
 "valueQuantity": {{"value": 4.50, "extension": [{{"url": "urn:x", "valueBoolean": true}}]}},
 "code": {{"text": "HbA1c", "_text": {{"id": "t", "extension": [{{"url": "urn:y", "valueCode": "vi"}}]}}}},
 "performer": [{{"display": "An"}}, {{"display": "Bình"}}],
 "device": {{"reference": "#d"}},
 "_effectiveDateTime": {{"extension": [{{"url": "urn:z", "valueString": "a < b"}}]}},
 "text": {{"status": "generated", "div": "<div xmlns=\\"{XHTML}\\"><b>4,5</b></div>"}}
}}"""

XML = f"""<Observation xmlns="http://hl7.org/fhir"><id value="b1"/><text><status value="generated"/><div xmlns="{XHTML}">\
<b>4,5</b></div></text><contained><Device><id value="d"/><distinctIdentifier value="1"/></Device></contained>\
<status value="final"/><code><text id="t" value="HbA1c"><extension url="urn:y"><valueCode value="vi"/></extension>\
</text></code>\
<effectiveDateTime><extension url="urn:z"><valueString value="a &lt; b"/></extension></effectiveDateTime>\
<performer><display value="An"/></performer><performer><display value="Bình"/></performer>\
<valueQuantity><extension url="urn:x"><valueBoolean value="true"/></extension><value value="4.50"/></valueQuantity>\
<device><reference value="#d"/></device></Observation>"""


def canonical(text: str | etree._Element) -> bytes:
    element = etree.fromstring(text) if isinstance(text, str) else text
    return etree.tostring(element, method="c14n")


def test_order_extensions_contained_narrative_and_digits() -> None:
    made = to_xml(read(JSON), definitions())
    assert canonical(made) == canonical(XML)
    assert schema().validate(made)


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Nothing"},
        {"resourceType": "Patient", "colour": "red"},
        {"resourceType": "Patient", "name": {"family": "An"}},
        {"resourceType": "Patient", "name": ["An"]},
        {"resourceType": "Patient", "gender": {"code": "male"}},
        {"resourceType": "Patient", "_gender": {"value": "male"}},
        {"resourceType": "Patient", "contained": ["#x"]},
        {"resourceType": "Patient", "text": {"status": "empty", "div": "<div>"}},
    ],
)
def test_what_has_no_form_in_xml_is_told(resource: dict[str, Any]) -> None:
    with pytest.raises(NoSuchElement):
        to_xml(resource, definitions())
