from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.sources.folder import Settings
from mappings.formats.values import NO_FILE, FileName, Size


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("folder", {"folder": NO_FILE}),
        ("pattern", {"pattern": ""}),
        ("pattern", {"pattern": "in/*.xml"}),
        ("poll", {"poll": timedelta(0)}),
        ("settle", {"settle": timedelta(seconds=-1)}),
        ("max_size", {"max_size": Size(0)}),
        ("grace", {"grace": timedelta(seconds=-1)}),
        ("done", {"done": "../elsewhere"}),
        ("done", {"done": ""}),
        ("refused", {"refused": ".."}),
        ("refused", {"refused": "a\nb"}),
        ("refused", {"refused": "done"}),
    ],
)
def test_a_wrong_setting_says_what_to_write(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* — .*"):
        Settings(**{"folder": FileName("/srv/drop"), **values})
