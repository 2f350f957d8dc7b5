"""Evidence that was kept beside a file: read whole, or refused."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest

from signing.evidence import Evidence
from signing.faults import EvidenceUnreadable
from signing.kept import FORMAT, read_evidence


def file(*signatures: Any, form: str = FORMAT) -> bytes:
    return json.dumps({"format": form, "signatures": signatures}).encode()


def signature(**pieces: list[bytes]) -> dict[str, list[str]]:
    names = ("certificates", "ocsp", "crls", "timestamps")
    return {name: [b64encode(one).decode() for one in pieces.get(name, [])] for name in names}


def test_everything_is_read_once() -> None:
    found = read_evidence(file(signature(certificates=[b"a"], ocsp=[b"o"]), signature(certificates=[b"a", b"b"])))
    assert found == Evidence(certificates=(b"a", b"b"), ocsp_responses=(b"o",))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'{"format": "x"}',
        b"[" * 100_000,
        file(form="lienthong-evidence/2"),
        file({"certificates": []}),
        file({**signature(), "crls": "text"}),
        file({**signature(), "crls": ["not base64!"]}),
        file({**signature(), "crls": [1]}),
        file("text"),
    ],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceUnreadable):
        read_evidence(data)
