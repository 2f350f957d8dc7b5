"""Spoilt documents are read soundly or refused with a fault: elements lost, doubled, renamed, attributes with nonsense."""

from __future__ import annotations

from random import Random

import pytest
from lxml import etree

from mappings.cda.read import read
from mappings.fhir.faults import ResourceInvalid
from mappings.formats.faults import Fault
from tests.golden.test_cda_read import CASES
from tests.unit.cda.read.snippets import sound

NONSENSE = [
    "",
    "x",
    "-1",
    "1e9",
    "20260101",
    "99999999",
    "urn:x",
    "http://a b",
    "NaN",
    "#x",
    " đ ",
    "GOL",
    "CD",
    "IVL_TS",
    "(",
]


def spoil(root: etree._Element, random: Random) -> bytes:
    elements = [one for one in root.iter() if isinstance(one.tag, str)]
    for _ in range(random.randint(1, 30)):
        one, other = random.choice(elements), random.choice(elements)
        match random.randrange(6):
            case 0 if (above := one.getparent()) is not None:
                above.remove(one)
            case 1 if one.attrib:
                one.set(random.choice(list(one.attrib)), random.choice(NONSENSE))
            case 2 if one.attrib:
                del one.attrib[random.choice(list(one.attrib))]
            case 3:
                one.append(etree.fromstring(etree.tostring(other, with_tail=False)))
            case 4:
                one.tag = other.tag
            case 5:
                one.text = random.choice(NONSENSE)
    return etree.tostring(root)


@pytest.mark.parametrize("seed", range(120))
def test_spoilt(seed: int) -> None:
    random = Random(seed)
    data = spoil(etree.parse(random.choice(CASES) / "input.xml").getroot(), random)
    try:
        sound(read(data))
    except ResourceInvalid:
        raise
    except Fault:
        pass
