from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.sources.mllp import Settings
from mappings.formats.values import Size


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("listen", {"listen": "2575"}),
        ("certificate", {"tls": "tls"}),
        ("certificate", {"tls": "mtls", "certificate": "a.pem"}),
        ("client_ca", {"tls": "mtls", "certificate": "a.pem", "private_key": "a.key"}),
        ("max_size", {"max_size": Size(0)}),
        ("max_connections", {"max_connections": 0}),
        ("idle_timeout", {"idle_timeout": timedelta(0)}),
        ("frame_timeout", {"frame_timeout": timedelta(0)}),
        ("keepalive", {"keepalive": timedelta(milliseconds=5)}),
        ("grace", {"grace": timedelta(seconds=-1)}),
    ],
)
def test_a_wrong_setting_says_what_to_write(field: str, values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: .* — .*|^listen: an address is written like"):
        Settings(**{"listen": "127.0.0.1:2575", "tls": "none", **values})


def test_encryption_is_on_unless_switched_off_by_name() -> None:
    with pytest.raises(ValueError, match=r"^certificate: "):
        Settings(listen="127.0.0.1:2575")
