"""Dialects of instruments as data: what a file may say, and which one a message bears the marks of."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mappings.formats import astm
from mappings.lab import profiles
from mappings.lab.astm import CONTROL, QUERY, RESULT, kind_of, profile_of, read
from mappings.lab.faults import ProfileUnknown


@pytest.fixture(autouse=True)
def _usual() -> Iterator[None]:
    yield
    profiles.use(())


def message(*records: str, sender: str = "AN-500", mark: str = "P") -> astm.Message:
    return astm.Message.parse("\r".join([f"H|\\^&|||{sender}|||||||{mark}", *records, "L|1"]).encode())


def test_every_profile_of_ours_can_be_read() -> None:
    known = profiles.profiles()
    assert {"standard", "sysmex", "genexpert", "bridge"} <= known.keys()
    assert all(one.name == name for name, one in known.items())


@pytest.mark.parametrize(
    ("sender", "mark", "name"),
    [
        ("XN-550^00-24", "P", "sysmex"),
        ("serial^GeneXpert^4.8", "P", "genexpert"),
        ("Anybody", "LIS2-A2", "bridge"),
        ("AN-500", "P", "standard"),
        ("", "", "standard"),
    ],
)
def test_a_message_bears_the_marks_of_its_dialect(sender: str, mark: str, name: str) -> None:
    assert profile_of(message(sender=sender, mark=mark), "").name == name


def test_a_channel_may_name_one() -> None:
    assert profile_of(message(), "genexpert").name == "genexpert"
    with pytest.raises(ProfileUnknown) as raised:
        profile_of(message(), "klingon")
    assert "sysmex" in raised.value.detail


def test_a_site_replaces_ours_and_is_asked_first() -> None:
    profiles.use([profiles.parse("sysmex", 'match = { "H-5" = "AN-*" }\n[test]\ncode = [2]\n')])
    assert profile_of(message(), "").test.code == (2,)
    assert profile_of(message(sender="XN-550"), "").name == "standard"


def test_letters_that_a_dialect_does_not_name_are_the_standards() -> None:
    one = profiles.parse("own", '[status]\nF = "P"\n"" = "F"\n')
    assert (one.status["F"], one.status["C"], one.status[""]) == ("P", "C", "F")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('klingon = { "a" = "b" }', "klingon: known here"),
        ("places = 3", "places: a table"),
        ('[places]\n"Q" = "R-3x"', "position"),
        ('[places]\n"P-3" = 4', "places.P-3"),
        ('[status]\nFF = "P"', "status.FF"),
        ('[status]\nF = "PP"', "status.F"),
        ("[test]\nklingon = 1", "test.klingon: known here: code"),
        ('[test]\ncode = ["a"]', "test.code: a list of numbers"),
        ("[value]\nnone = [1]", "value.none: a list of texts"),
        ("[value]\ndecimal = 1", "value.decimal: written like"),
        ("[control]\nrecords = 1", "control.records: written like"),
        ("match = [", "Invalid"),
    ],
)
def test_what_is_wrong_with_a_profile(text: str, wrong: str) -> None:
    with pytest.raises(ValueError, match=wrong):
        profiles.parse("own", text)


@pytest.mark.parametrize(
    ("records", "kind"),
    [
        (("P|1", "O|1|S||^^^A", "R|1|^^^A|1"), RESULT),
        (("P|1", "O|1|S||^^^A|||||||Q", "R|1|^^^A|1"), CONTROL),
        (("O|1|S||^^^A|||||||Q", "R|1|^^^A|1", "O|2|T||^^^A", "R|1|^^^A|1"), RESULT),
        (("Q|1|^S||ALL",), QUERY),
        (("M|1|x",), "ASTM^OTHER"),
    ],
)
def test_kinds(records: tuple[str, ...], kind: str) -> None:
    one = message(*records)
    assert kind_of(read(one)) == kind


def test_a_message_of_control_is_known_by_its_header() -> None:
    one = message("O|1|S||^^^A", "R|1|^^^A|1", mark="Q")
    assert kind_of(read(one)) == CONTROL
