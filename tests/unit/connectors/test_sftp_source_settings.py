from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.sources.sftp import Settings
from mappings.formats.values import FileName, Secret, Size

PRINT = "SHA256:" + "a" * 43
GOOD: dict[str, Any] = {
    "host": "his",
    "username": "us",
    "folder": "/out",
    "password": Secret("x"),
    "host_key": (PRINT,),
}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("host", {"host": ""}),
        ("username", {"username": ""}),
        ("folder", {"folder": ""}),
        ("port", {"port": 0}),
        ("private_key", {"password": Secret("")}),
        ("private_key", {"private_key": FileName("a")}),
        ("host_key", {"host_key": ()}),
        ("host_key", {"known_hosts": FileName("a")}),
        ("host_key", {"host_key": ("MD5:aa:bb",)}),
        ("host_key", {"host_key": ("*",)}),
        ("connect_timeout", {"connect_timeout": timedelta(0)}),
        ("request_timeout", {"request_timeout": timedelta(0)}),
        ("file_timeout", {"file_timeout": timedelta(0)}),
        ("pattern", {"pattern": ""}),
        ("max_size", {"max_size": Size(0)}),
        ("refused", {"refused": "done"}),
    ],
)
def test_a_wrong_setting_says_what_to_write(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* — .*"):
        Settings(**{**GOOD, **values})


def test_a_server_that_need_not_prove_itself_cannot_be_written() -> None:
    assert Settings(**GOOD).host_key == (PRINT,)
    with pytest.raises(ValueError, match="must prove who it is"):
        Settings(**{**GOOD, "host_key": ()})
