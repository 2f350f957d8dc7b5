"""Who signs on the demo's day, with which key, and what an installer would write about them.

The doctors of the scenario each with a PKCS#12 file, a head of department with a token, a deputy and the facility's seal with
keys at the remote signer. Nobody here exists.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from conformance.scenarios.tables import table
from gateway.cli.demo_site import USER

SEAL_CREDENTIAL = "demo-seal"
DEPUTY_CREDENTIAL = "demo-deputy"
HEAD, DEPUTY = "TK01", "PTK01"
POLICY = """\
# Ai ký, theo thứ tự nào: bác sĩ lập giấy → trưởng khoa → con dấu của cơ sở.
[[policy]]

[[policy.step]]
name = "doctor"
role = "treating_doctor"

[[policy.step]]
name = "head"
role = "head_of_department"

[[policy.step]]
role = "seal"

[[delegation]]
of    = "{head}"
to    = "{deputy}"
role  = "head_of_department"
since = {since}
until = {until}
basis = "QĐ 12/QĐ-BV"
"""
_SIGNER = """
[[signer]]
code    = "{code}"
name    = "{name}"
licence = "{licence}"
roles   = ["{role}"]
key     = {{ {key} }}
"""
_FILE = ('kind = "pkcs12"', 'file = "keys/{code}.p12"', 'password = "secret:keys"')
_TOKEN = ('kind = "pkcs11"', 'module = "{module}"', 'token = "{code}"', 'pin = "secret:token-pin"')
_REMOTE = (
    'kind = "remote"',
    'url = "{csc}/csc/v2"',
    'credential = "{credential}"',
    f'user = "{USER}"',
    'password = "secret:destinations"',
    'pin = "secret:remote-pin"',
)


@dataclass(frozen=True)
class Signer:
    """One person of the staff."""

    code: str
    name: str
    citizen_id: str
    licence: str
    department: str
    title: str
    post: str
    registered_as: str
    """Role in the staff list."""
    role: str
    """Role in the signing policy."""
    kind: str
    """Kind of key: `pkcs12`, `pkcs11`, `remote`."""

    def key(self, csc: str, module: str) -> str:
        """Write the table of this person's key."""
        lines = {"pkcs12": _FILE, "pkcs11": _TOKEN, "remote": _REMOTE}[self.kind]
        return ", ".join(lines).format(code=self.code, module=module, csc=csc, credential=DEPUTY_CREDENTIAL)


def staff(*, with_token: bool) -> tuple[Signer, ...]:
    """Name everybody who signs; without a token the head's key is a file as well."""
    names = {row["code"]: row["name"] for row in table("departments")}
    doctors = [
        Signer(
            f"BS{number:02}",
            " ".join(part for part in (row["family"], row["middle"], row["given"]) if part),
            f"001080{990000 + number}",
            row["licence"],
            names.get(row["department"], row["department"]),
            "Bác sĩ",
            "",
            "Bác sĩ",
            "treating_doctor",
            "pkcs12",
        )
        for number, row in enumerate((row for row in table("doctors") if row["title"] != "KTV"), 1)
    ]
    ward = next(iter(names.values()))
    kind = "pkcs11" if with_token else "pkcs12"
    head = Signer(
        HEAD,
        "Lê Thị Trưởng",
        "001175990101",
        "000901/HNO-CCHN",
        ward,
        "Bác sĩ chuyên khoa II",
        "Trưởng khoa",
        "Bác sĩ, Trưởng khoa",
        "head_of_department",
        kind,
    )
    deputy = Signer(
        DEPUTY,
        "Đinh Văn Phó",
        "001080990102",
        "000902/HNO-CCHN",
        ward,
        "Bác sĩ chuyên khoa I",
        "Phó trưởng khoa",
        "Bác sĩ",
        "deputy_head",
        "remote",
    )
    return (*doctors, head, deputy)


def staff_list(people: Sequence[Signer]) -> str:
    """Write the list that human resources would hand in, as CSV."""
    text = io.StringIO()
    columns = "Mã nhân viên", "Họ và tên", "CCCD", "Khoa/phòng", "Chức danh nghề nghiệp"
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*columns, "Chức vụ", "Số giấy phép hành nghề", "Vai trò ký"])
    for one in people:
        facts = one.code, one.name, one.citizen_id, one.department, one.title
        writer.writerow([*facts, one.post, one.licence, one.registered_as])
    return text.getvalue()


def seal(csc: str) -> str:
    """Write the settings of the facility's seal, which the remote signer keeps."""
    return "\n".join(_REMOTE).format(csc=csc, credential=SEAL_CREDENTIAL)


def signers(people: Sequence[Signer], csc: str, module: str) -> str:
    """Write the tables of node.toml about those who sign."""
    return "".join(
        _SIGNER.format(code=one.code, name=one.name, licence=one.licence, role=one.role, key=one.key(csc, module))
        for one in people
    )


def policy(today: date) -> str:
    """Write signing.toml."""
    return POLICY.format(head=HEAD, deputy=DEPUTY, since=today, until=today + timedelta(days=30))
