"""Give everybody of the demo a key and a certificate, and enter them in the register as an installer would.

Keys are born where they stay: in the token, at the remote signer; the sandbox's CA certifies them. The register is filled with
`lienthong certs`; what was typed and answered stands in `enrolment.txt` of the demo's folder. Only the many keys in files take
a shorter way between request and activation.
"""

from __future__ import annotations

import base64
import contextlib
import io
import secrets
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx
import typer
from cryptography import x509
from cryptography.x509.oid import NameOID
from sqlalchemy.engine import Connection

from gateway.certificates import binding, register
from gateway.certificates.register import Act
from gateway.cli import certs, demo_people, demo_site, demo_token
from gateway.cli.access import ledger
from gateway.cli.demo_people import DEPUTY_CREDENTIAL, SEAL_CREDENTIAL, Signer
from gateway.cli.output import now_local
from gateway.clock import SystemClock
from gateway.faults import InternalFault
from mappings.formats.values import Secret
from signing.certificates import load_roots, order_chain

_DEVICES = {"pkcs12": "file", "pkcs11": "usb_token", "remote": "remote"}
_PLACE = "Hà Nội"
_BY = "Tổ công nghệ thông tin"
_KEPT = "Tủ 3"


@dataclass(frozen=True)
class Enrolled:
    """Who signs, and the serial numbers of their certificates."""

    people: tuple[Signer, ...]
    serials: dict[str, str]
    """Code → hexadecimal."""
    token_module: str
    """Library of the head's token; empty when the head's key is a file."""


async def enrol(site: demo_site.Site, sandbox: dict[str, str], admin: httpx.AsyncClient) -> Enrolled:
    """Make keys, write the configuration, fill the register."""
    module = demo_token.module()
    people = demo_people.staff(with_token=bool(module))
    (site.config / "keys").mkdir(mode=0o700)
    pin = Secret(str(secrets.randbelow(9 * 10**7) + 10**7))
    token = demo_token.DemoToken(site.folder / "token", module, demo_people.HEAD, pin)
    for name in ("token-pin", "remote-pin"):
        demo_site.keep(site, name, pin)
    issuer = _Issuer(site, admin, pin)
    for one in people:
        match one.kind:
            case "pkcs11":
                await issuer.for_token(one, token)
            case "remote":
                await issuer.at_the_signer(one.code, _subject(one), DEPUTY_CREDENTIAL, one_time_code=True)
            case _:
                await issuer.in_a_file(one)
    seal = {"common_name": demo_site.NAME, "place": _PLACE, "identifier": "MST:0109999999"}
    await issuer.at_the_signer(demo_site.FACILITY, seal, SEAL_CREDENTIAL, one_time_code=False)
    csc = sandbox["csc"]
    demo_site.configure(
        site,
        sandbox,
        seal=demo_people.seal(csc),
        signers=demo_people.signers(people, csc, module),
        policy=demo_people.policy(now_local().date()),
    )
    _register(site, people, issuer.devices)
    return Enrolled(people, issuer.serials, module)


def _subject(one: Signer) -> dict[str, str]:
    return {
        "common_name": one.name,
        "title": one.post or one.title,
        "organisation": demo_site.NAME,
        "unit": one.department,
        "place": _PLACE,
        "identifier": f"CCCD:{one.citizen_id}",
    }


class _Issuer:
    """Have certificates issued, and keep each as `keys/<code>.pem`."""

    def __init__(self, site: demo_site.Site, admin: httpx.AsyncClient, pin: Secret) -> None:
        self._site = site
        self._admin = admin
        self._pin = pin
        self._above = ""
        self.serials: dict[str, str] = {}
        self.devices: dict[str, str] = {}
        """Code → serial number of the device, of those whose device states one."""

    async def in_a_file(self, one: Signer) -> None:
        made = await self._post(
            "authority/certificates", {"subject": _subject(one), "key": "ec256", "password": self._site.password}
        )
        self._keep(one.code, made)
        path = self._keys / f"{one.code}.p12"
        path.write_bytes(base64.b64decode(made["pkcs12"]))
        path.chmod(0o600)

    async def for_token(self, one: Signer, token: demo_token.DemoToken) -> None:
        token.make()
        subject = _subject(one)
        request = token.request(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one.name)]))
        made = await self._post("authority/certificates", {"csr": request, "subject": subject})
        self._keep(one.code, made)
        leaf, *above = x509.load_pem_x509_certificates((made["pem"] + made["chain"]).encode())
        token.put(order_chain(leaf, above))
        self.devices[one.code] = token.serial()

    async def at_the_signer(self, code: str, subject: dict[str, str], name: str, *, one_time_code: bool) -> None:
        terms = {"user": demo_site.USER, "pin": self._pin, "one_time_code": one_time_code, "identifier": name}
        terms |= {"scal": "2", "multisign": 50} if one_time_code else {"scal": "1", "multisign": 1000}
        self._keep(code, await self._post("csc/credentials", {"subject": subject, **terms}))

    @property
    def _keys(self) -> Path:
        return self._site.config / "keys"

    def _keep(self, code: str, made: dict[str, Any]) -> None:
        self.serials[code] = made["serial"]
        self._above = made.get("chain", self._above)  # the remote signer's admin shows the certificate alone
        (self._keys / f"{code}.pem").write_text(made["pem"] + self._above, encoding="utf-8")

    async def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self._admin.post(f"/_sandbox/{path}", json=body)
        made: dict[str, Any] = answer.raise_for_status().json()
        return made


def _register(site: demo_site.Site, people: Sequence[Signer], devices: Mapping[str, str]) -> None:
    """Fill the register: staff list, then request to activation for everybody and the seal."""
    (site.folder / "staff.csv").write_text(demo_people.staff_list(people), encoding="utf-8")
    everybody = [one.code for one in people]
    own = demo_site.FACILITY
    command = typer.main.get_command(certs.app)
    with (site.folder / "enrolment.txt").open("w", encoding="utf-8") as transcript:

        def run(*arguments: str) -> None:
            _typed(command, transcript, [*arguments, "--config", str(site.config)])

        run("import", str(site.folder / "staff.csv"), "--reason", "QĐ 10/QĐ-BV")
        run("request", "--seal", "--device", "remote", "--provider", "CA thử nghiệm")
        run("approve", *everybody, own, "--reason", "QĐ 11/QĐ-BV")
        _doctors(site, [one for one in people if one.kind == "pkcs12"])
        for code, kind in [*((one.code, one.kind) for one in people if one.kind != "pkcs12"), (own, "remote")]:
            serial = devices.get(code, f"{kind}-{code}")
            device = ("--device", _DEVICES[kind], "--device-serial", serial, "--key-kind", kind)
            run("issue", code, str(site.config / "keys" / f"{code}.pem"), *device)
            received = ("--received-by", "Văn thư Liên Thông") if code == own else ()
            run("handover", code, "--handed-by", _BY, *received)
            run("commit", code, "--reference", _KEPT)
        run("activate", *everybody, own)


def _doctors(site: demo_site.Site, people: Sequence[Signer]) -> None:
    """Do for those with a key in a file what `certs issue`, `handover` and `commit` do, in one transaction."""
    now = SystemClock().now()
    act = Act("demo", "như với các chứng thư khác", now)
    with ledger(site.config) as (plan, store):
        roots = load_roots(plan.signing.trust)

        def unit(connection: Connection) -> None:
            for one in people:
                row = register.find(connection, one.code)
                pem = (site.config / "keys" / f"{one.code}.pem").read_bytes()
                binding.issue(connection, row, pem, roots, act, citizen_id=one.citizen_id, device_kind="file")
                serial = f"{one.kind}-{one.code}"
                today = register.today(now)
                register.hand_over(
                    connection, register.find(connection, one.code), act, on=today, device_serial=serial, handed_by=_BY
                )
                holder = register.holder(connection, one.code)
                register.commit(connection, holder, act, on=today, reference=_KEPT)

        store.write_now(unit)


def _typed(command: Any, transcript: TextIO, arguments: Sequence[str]) -> None:
    """Run `lienthong certs` in this process; raise the fault it ends with."""
    transcript.write(f"$ lienthong certs {shlex.join(arguments)}\n")
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        status = command.main(list(arguments), standalone_mode=False)
    transcript.write(said.getvalue())
    if status:
        raise InternalFault(where="certs", detail=f"exit code {status}; see enrolment.txt")
