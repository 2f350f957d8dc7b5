from __future__ import annotations

from importlib.metadata import EntryPoint
from types import ModuleType

import pytest

from connectors import kinds


def test_kinds_are_module_names() -> None:
    assert "mllp" in kinds.source_kinds()
    assert not [kind for kind in (*kinds.source_kinds(), *kinds.destination_kinds()) if kind.startswith("_")]


def test_a_third_party_adds_a_kind_but_replaces_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = ModuleType("theirs")
    theirs.Settings, theirs.Source = int, str  # type: ignore[attr-defined]  # a module of someone else

    class Point(EntryPoint):
        def load(self) -> ModuleType:
            return theirs

    points = {"lienthong.sources": [Point("serial", "theirs", "lienthong.sources"), Point("mllp", "theirs", "")]}
    monkeypatch.setattr(kinds, "entry_points", lambda group: points.get(group, []))
    settings, source = kinds.load_source("serial")
    assert (settings.__name__, source.__name__) == ("int", "str")
    assert "serial" in kinds.source_kinds()
    assert kinds.load_source("mllp")[0].__module__ == "connectors.sources.mllp"


def test_an_unknown_kind_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"^kind: 'mlpp' is not known — write one of .*mllp"):
        kinds.load_source("mlpp")
