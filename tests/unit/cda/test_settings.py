"""What a realm decides: realm code, template root, OIDs of systems."""

from __future__ import annotations

import pytest

from mappings import cda
from mappings.formats import safe_xml
from mappings.systems import DEFAULT, ICD10
from tests.unit.cda.test_render import composed, values


def test_a_realm_has_its_own_codes_and_oids() -> None:
    settings = cda.Settings("XX", "2.16.704.9.9", {DEFAULT.cccd: "2.16.704.1", ICD10: "2.16.704.2"})
    root = safe_xml.parse(cda.render(composed("discharge_paper"), settings))
    assert values(root, "v3:realmCode/@code") == ["XX"]
    assert values(root, "v3:templateId/@root") == ["2.16.704.9.9"]
    assert values(root, "v3:recordTarget//v3:id[@extension='001186000001']/@root") == ["2.16.704.1"]
    assert set(values(root, "//v3:value[@code='J18.9']/@codeSystem")) == {"2.16.704.2"}


@pytest.mark.parametrize(
    ("realm", "template", "oids"),
    [("vn", cda.DEFAULT.template, {}), ("VN", "2.16.x", {}), ("VN", "2.16", {"http://x": "urn:oid:2.16"})],
)
def test_a_wrong_realm_is_refused(realm: str, template: str, oids: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"^(realm|template|oids): "):
        cda.Settings(realm, template, oids)
