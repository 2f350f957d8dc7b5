from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.sources.dicomweb import Settings
from mappings.formats.values import FileName, Secret, Size

FILES: dict[str, Any] = {
    "certificate": FileName("a.pem"),
    "private_key": FileName("a.key"),
    "client_ca": FileName("c.pem"),
}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("listen", {"listen": "8444"}),
        ("certificate", {"tls": "tls"}),
        ("client_ca", {"tls": "mtls", **FILES, "client_ca": FileName("")}),
        ("path", {"path": "dicom-web"}),
        ("path", {"path": "/dicom-web/"}),
        ("path", {"path": "/a?b"}),
        ("clients", {"listen": "0.0.0.0:8444"}),
        ("clients", {"listen": "[::]:8444", "tls": "tls", **FILES}),
        ("clients", {"clients": {"a:b": Secret("x")}}),
        ("clients", {"clients": {"": Secret("x")}}),
        ("clients", {"clients": {"a": Secret("")}}),
        ("certificates", {"certificates": ("pacs",)}),
        ("max_size", {"max_size": Size(0)}),
        ("max_parts", {"max_parts": 0}),
        ("max_connections", {"max_connections": 0}),
        ("idle_timeout", {"idle_timeout": timedelta(0)}),
        ("frame_timeout", {"frame_timeout": timedelta(0)}),
        ("upload_timeout", {"upload_timeout": timedelta(0)}),
        ("grace", {"grace": timedelta(seconds=-1)}),
    ],
)
def test_a_wrong_setting_says_what_to_write(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* — .*|^listen: an address is|^path: write it"):
        Settings(**{"listen": "127.0.0.1:8444", "tls": "none", **values})


@pytest.mark.parametrize(
    "values",
    [
        {"listen": "127.0.0.1:8444"},
        {"listen": "[::1]:8444", "path": ""},
        {"listen": "localhost:8444", "path": "/pacs/rs"},
        {"listen": "0.0.0.0:8444", "clients": {"pacs": Secret("x")}},
        {"listen": "0.0.0.0:8444", "tls": "mtls", **FILES},
    ],
)
def test_who_may_send_is_always_said(values: dict[str, Any]) -> None:
    assert Settings(**{"tls": "none", **values}).quiet == timedelta(seconds=60)


def test_encryption_is_on_unless_switched_off_by_name() -> None:
    with pytest.raises(ValueError, match=r"^certificate: "):
        Settings(listen="127.0.0.1:8444")
