from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from connectors.kinds import load_destination
from mappings.formats.values import Secret

GOOD: dict[str, dict[str, Any]] = {
    "insurance_portal": {"username": "a", "password": Secret("b"), "facility": "01999"},
    "moh_axis": {"username": "a", "password": Secret("b"), "sender_id": "8930000000019", "txn_type": "sync_checkup"},
    "fhir_rest": {"token_url": "/token", "client_id": "a", "client_secret": Secret("b")},
    "national_coordination": {"client_id": "a", "client_secret": Secret("b"), "sender": "01999"},
}
WRONG = [
    *[
        (kind, "url", {"url": url})
        for kind in GOOD
        for url in ("", "host", "ftp://host", "https://", "https://h:99999")
    ],
    *[(kind, "url", {"url": url}) for kind in GOOD for url in ("https://a:b@h", "https://h?x=1", "https://h#x")],
    *[(kind, "answer_timeout", {"answer_timeout": timedelta(0)}) for kind in GOOD],
    ("insurance_portal", "username", {"username": ""}),
    ("insurance_portal", "facility", {"facility": "0199"}),
    ("moh_axis", "sender_id", {"sender_id": "01999"}),
    ("moh_axis", "txn_type", {"txn_type": "sync checkup"}),
    ("moh_axis", "receiver_id", {"receiver_id": ""}),
    ("moh_axis", "reconcile_path", {"reconcile_path": "https://elsewhere.example/x"}),
    ("fhir_rest", "token_url", {"token_url": "ftp://host/token"}),
    ("fhir_rest", "client_id", {"client_id": ""}),
    ("fhir_rest", "client_secret", {"client_secret": Secret("")}),
    ("fhir_rest", "client_id", {"token_url": "", "client_secret": Secret("")}),
    ("national_coordination", "sender", {"sender": "01999\r\nX: y"}),
]


@pytest.mark.parametrize(("kind", "field", "values"), WRONG)
def test_a_wrong_setting_says_what_to_write(kind: str, field: str, values: dict[str, Any]) -> None:
    settings = cast("Any", load_destination(kind)[0])
    settings(**{"url": "https://host.example:8443/prefix", **GOOD[kind]})
    with pytest.raises(ValueError, match=f"^{field}: .* — .*"):
        settings(**{"url": "https://host.example", **GOOD[kind], **values})
