"""How codes are written is kept between documents: under the roots of each realm, short ones only, not without end."""

from __future__ import annotations

from mappings.cda.datatypes import DataTypes
from mappings.cda.markup import Markup, el, kept, text_of
from mappings.systems import LOINC

CODING = {"system": LOINC, "code": "2951-2", "display": "Sodium"}
SODIUM = {"coding": [CODING], "text": "Natri"}


def test_each_realm_has_its_own_roots() -> None:
    plain, own = DataTypes({}), DataTypes({LOINC: "1.2.3.4"})
    written = plain.coded("code", SODIUM)
    assert 'codeSystem="2.16.840.1.113883.6.1"' in text_of(written)
    assert 'codeSystem="1.2.3.4"' in text_of(own.coded("code", SODIUM))
    assert plain.coded("code", SODIUM) == written


def test_every_part_of_what_is_said_counts() -> None:
    types = DataTypes({})
    said = [
        types.coded("code", SODIUM),
        types.coded("value", SODIUM),
        types.coded("code", SODIUM, "CD"),
        types.coded("code", {"coding": [CODING]}),
        types.coded("code", {"coding": [CODING, CODING]}),
        *(types.coded("code", {"coding": [{**CODING, key: "x"}]}) for key in ("system", "code", "version", "display")),
    ]
    assert len(set(said)) == len(said)


def test_little_is_kept() -> None:
    made: list[str] = []

    @kept
    def write(text: str) -> Markup:
        made.append(text)
        return el("text", text)

    for _ in range(2):
        assert text_of(write("short")) == "<text>short</text>"
        assert text_of(write("x" * 2000)) == f"<text>{'x' * 2000}</text>"
    assert made == ["short", "x" * 2000, "x" * 2000], "what is long is written anew"
    for n in range(2048):
        write(str(n))
    write("short")
    assert made[-1] == "short", "not without end"
