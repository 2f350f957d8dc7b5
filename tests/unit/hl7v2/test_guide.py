"""The package names every module of its own, so that a reader finds the way."""

from __future__ import annotations

import re
from pkgutil import iter_modules

from mappings import hl7v2


def missing(guide: str) -> list[str]:
    named = set(re.findall(r"`([a-z_0-9]+)/?`", guide))
    return [module.name for module in iter_modules(hl7v2.__path__) if module.name not in named]


def test_every_module_is_named() -> None:
    assert missing(str(hl7v2.__doc__)) == []


def test_no_name_is_left_over() -> None:
    named = set(re.findall(r"`([a-z_0-9]+)/?`", str(hl7v2.__doc__)))
    assert named == {module.name for module in iter_modules(hl7v2.__path__)}


def test_a_module_that_is_not_named_is_seen() -> None:
    assert missing(str(hl7v2.__doc__).replace("`timing`", "timing")) == ["timing"]
