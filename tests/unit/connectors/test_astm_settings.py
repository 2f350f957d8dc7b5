from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from connectors.sources.astm import Settings
from mappings.formats.values import FileName, Size

SERIAL = FileName("/dev/ttyUSB0")
PEM = FileName("some.pem")


@pytest.mark.parametrize(
    "settings",
    [
        {"listen": "127.0.0.1:4010", "tls": "none"},
        {"listen": "0.0.0.0:4010", "tls": "none", "peers": ("10.0.7.21", "10.0.8.0/24", "fd00::/8")},
        {"listen": "0.0.0.0:4010", "tls": "none", "anyone": True},
        {"listen": "0.0.0.0:4010", "tls": "mtls", "certificate": PEM, "private_key": PEM, "client_ca": PEM},
        {"connect": "10.0.7.21:4010", "tls": "none", "framing": "none"},
        {"connect": "10.0.7.21:4010", "client_ca": PEM},
        {"serial": SERIAL, "baud": 19200, "parity": "odd", "data_bits": 7, "stop_bits": 2},
    ],
)
def test_settings_that_work(settings: dict[str, Any]) -> None:
    Settings(**settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, "listen: write one of"),
        ({"listen": "127.0.0.1:1", "serial": SERIAL, "tls": "none"}, "listen: write one of"),
        ({"listen": "4010", "tls": "none"}, "listen: an address is written like"),
        ({"listen": "127.0.0.1:4010"}, "certificate: TLS needs"),
        ({"listen": "0.0.0.0:4010", "tls": "none"}, "peers: nobody could call"),
        ({"listen": "0.0.0.0:4010", "tls": "none", "peers": ("analyser",)}, "peers: 'analyser'"),
        ({"listen": "0.0.0.0:4010", "tls": "none", "peers": ("10.0.0.7",), "anyone": True}, "anyone: lets in"),
        ({"connect": "10.0.7.21", "tls": "none"}, "connect: an address is written like"),
        ({"connect": "10.0.7.21:0", "tls": "none"}, "connect: nobody waits"),
        ({"connect": "10.0.7.21:4010"}, "client_ca: TLS needs"),
        ({"connect": "10.0.7.21:4010", "tls": "mtls", "client_ca": PEM}, "certificate: mtls needs"),
        ({"serial": SERIAL, "framing": "none"}, "framing: on a serial line"),
        ({"serial": SERIAL, "baud": 12345}, "baud: no speed"),
        ({"serial": SERIAL, "data_bits": 9}, "data_bits: write 7 or 8"),
        ({"serial": SERIAL, "stop_bits": 3}, "stop_bits: write 1 or 2"),
        ({"serial": SERIAL, "max_size": Size(0)}, "max_size: nothing"),
        ({"serial": SERIAL, "max_frame": Size(1)}, "max_frame: nothing"),
        ({"serial": SERIAL, "send_frame": 0}, "send_frame: nothing"),
        ({"serial": SERIAL, "max_connections": 0}, "max_connections: nothing"),
        ({"serial": SERIAL, "answer_timeout": timedelta(0)}, "answer_timeout: nobody"),
        ({"serial": SERIAL, "frame_timeout": timedelta(0)}, "frame_timeout: nobody"),
        ({"serial": SERIAL, "keepalive": timedelta(0)}, "keepalive: TCP"),
        ({"serial": SERIAL, "grace": timedelta(-1)}, "grace: a time"),
    ],
)
def test_settings_that_cannot_work_are_one_line_of_check(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}"):
        Settings(**settings)
