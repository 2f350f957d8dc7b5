"""What the signed day came to: who signed with which key, the incident, what strangers say of the papers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.cli.demo_signing import Incident, Signatures
from gateway.cli.demo_verify import Verified
from gateway.cli.output import console, print_table
from gateway.faults import CertificateSuspended

_ROLES = {
    "treating_doctor": "bác sĩ",
    "head_of_department": "trưởng khoa",
    "deputy_head": "phó trưởng khoa, ký thay",
    "seal": "con dấu của cơ sở",
}
_KEYS = {"pkcs12": "tệp PKCS#12", "pkcs11": "token (SoftHSM)", "remote": "ký từ xa (CSC)"}


@dataclass(frozen=True)
class SigningFigures:
    """Everything the tables show."""

    signatures: Sequence[Signatures]
    incident: Incident
    verified: Verified

    @property
    def closes(self) -> bool:
        """Tell whether the suspended certificate signed nothing more and everything else verifies."""
        incident = self.incident
        suspended = f"LT{CertificateSuspended.code}"
        refused = incident.refused == {suspended: incident.waiting} and not incident.signed_after
        return refused and self.verified.closes and self.verified.before == incident.signed_before


def show(found: SigningFigures) -> None:
    """Print the tables."""
    print_table(
        "Chữ ký theo khóa",
        ("ai", "khóa", "người", "chữ ký"),
        ((_ROLES[one.role], _KEYS[one.kind], one.people, one.signatures) for one in found.signatures),
        right=(2, 3),
    )
    incident, verified = found.incident, found.verified
    refused = ", ".join(f"{count} lần {code}" for code, count in incident.refused.items())
    print_table(
        "Trưởng khoa mất token, chứng thư tạm ngừng",
        ("", ""),
        (
            ("tạm ngừng từ", incident.at),
            ("giấy đang chờ ký lúc đó", incident.waiting),
            ("thử ký tiếp: bị từ chối", refused),
            ("thử ký tiếp: ký được", incident.signed_after),
            ("chữ ký trước đó, vẫn hợp lệ", verified.before),
            ("ký sau đó ngoài bàn ký", verified.outside),
        ),
    )
    rows = [("lienthong verify, giấy", verdict, count) for verdict, count in sorted(verified.verdicts.items())]
    if verified.xmlsec1 is not None:
        rows += [("xmlsec1, chữ ký", word, n) for word, n in zip(("OK", "FAIL"), verified.xmlsec1, strict=True) if n]
    print_table("Người ngoài kiểm lại", ("bằng", "kết quả", "số"), rows, right=(2,))
    if verified.xmlsec1 is None:
        console.print("xmlsec1 chưa cài, không kiểm bằng nó: sudo apt-get install xmlsec1")
    for file in verified.incomplete:
        console.print(f"[red]Thiếu chữ ký:[/] {file}", soft_wrap=True)
