"""Every fault can be told in both languages: what happened, what to do."""

from __future__ import annotations

import importlib
import pkgutil

import pytest

import connectors
import gateway
import mappings
import signing
from gateway import text
from mappings.formats.faults import Fault


def concrete_faults() -> dict[int, list[str]]:
    """Return every fault class with a code of its own, after importing every module that may define one."""
    for package in (mappings, connectors, signing, gateway):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if found.name.rpartition(".")[2] == "faults":
                importlib.import_module(found.name)
    codes: dict[int, list[str]] = {}
    stack = [Fault]
    while stack:
        for cls in stack.pop().__subclasses__():
            stack.append(cls)
            if "code" in vars(cls):
                codes.setdefault(cls.code, []).append(cls.__name__)
    return codes


def test_codes_are_unique() -> None:
    assert {code: names for code, names in concrete_faults().items() if len(names) > 1} == {}


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_fault_has_a_text(language: text.Language) -> None:
    assert set(concrete_faults()) - text.codes(language) == set()


def test_both_languages_have_the_same_codes() -> None:
    assert text.codes("vi") == text.codes("en")


def test_texts_say_what_and_what_to_do() -> None:
    for language in ("vi", "en"):
        for code in text.codes(language):
            said = text.text(code, language)
            assert said.what
            assert said.do
            assert not said.what.endswith(".")
