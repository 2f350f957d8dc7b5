"""Run the whole sandbox: destinations, trust services and the admin interface, each on its own port, in one event loop."""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import signal
import ssl
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, get_args
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from conformance.sandbox.accounts import Account, Tokens, gln_is_valid
from conformance.sandbox.admin import Controls, admin_app
from conformance.sandbox.authority import Authority
from conformance.sandbox.ca import DemoCA, write_private
from conformance.sandbox.crl_server import CrlServer
from conformance.sandbox.faults import PEERS, FaultPlan
from conformance.sandbox.fhir_server import FhirServer
from conformance.sandbox.holders import DEMO_HOLDERS, HOSPITAL, Holder, KeyKind
from conformance.sandbox.insurance_portal import InsurancePortal
from conformance.sandbox.listener import Listener
from conformance.sandbox.moh_axis import DataForm, MohAxis
from conformance.sandbox.national_coordination import NationalCoordination
from conformance.sandbox.ocsp_responder import PATH as OCSP_PATH
from conformance.sandbox.ocsp_responder import OcspResponder
from conformance.sandbox.portal.switches import Switches
from conformance.sandbox.records import Records
from conformance.sandbox.remote_credentials import RemoteCredentials, Terms
from conformance.sandbox.remote_signer import RemoteSigner
from conformance.sandbox.signatures import Trust
from conformance.sandbox.tsa import PATH as TSA_PATH
from conformance.sandbox.tsa import TimeStampingAuthority
from conformance.sandbox.wire import Destination, HttpFace

FACILITY = "01999"
GLN = "8930000000019"
USER = f"{FACILITY}_BV"
PORTS = ("portal", "axis", "coordination", "fhir", "ocsp", "crl", "tsa", "csc", "admin")


@dataclass(frozen=True)
class Settings:
    """What a sandbox is started with. A port of 0 takes a free one."""

    accounts: tuple[Account, ...]
    host: str = "127.0.0.1"
    portal_port: int = 0
    axis_port: int = 0
    coordination_port: int = 0
    fhir_port: int = 0
    ocsp_port: int = 0
    crl_port: int = 0
    """Certificates carry the addresses of OCSP and CRL: with 0, a later start on the same folder takes the same ports."""
    tsa_port: int = 0
    csc_port: int = 0
    admin_port: int = 0
    admin_host: str = "127.0.0.1"
    """The admin interface has no log-in and shows what arrived: keep it on this machine."""
    folder: Path | None = None
    """Holds `ca/` and `records/`; a later start continues from it. None: everything ends with the sandbox."""
    tls: bool = False
    """Serve the destinations with a certificate of the demo CA; the admin interface, OCSP, CRL and TSA stay plain."""
    token_life_s: int = 600
    activation_life_s: int = 300
    """How long an authorization of the remote signer holds."""
    pin: str = "12345678"
    """Of the demo credentials at the remote signer."""
    axis_data: DataForm = "any"
    """Which form of `data` the axis takes: the sources differ."""
    largest_file: int = 10 * 1024 * 1024
    """Bytes of one insurance file; the portal's own limit is not published."""
    portal: Switches = field(default_factory=Switches)
    """How the insurance portal behaves at the start."""
    alone: str | None = None
    """Open this peer and the admin interface, and nothing else."""


def default_accounts(password: str) -> tuple[Account, ...]:
    """Return the account of the demo facility."""
    return (Account(USER, password, FACILITY, GLN),)


class Sandbox:
    """Run in the current event loop for the length of an `async with`.

    `clock` moves tokens and time windows of the fault plan; call `settle()` after moving it.
    """

    def __init__(self, settings: Settings, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings = settings
        self._temporary = tempfile.TemporaryDirectory(prefix="sandbox-") if settings.folder is None else None
        folder = Path(self._temporary.name) if self._temporary else settings.folder
        assert folder is not None
        self.ca = DemoCA(folder / "ca")
        self.authority = Authority(self.ca, clock)
        self.credentials = RemoteCredentials(self.authority, settings.activation_life_s)
        self.records = Records(settings.folder / "records" if settings.folder else None, clock)
        self.faults = FaultPlan(clock)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._settling: asyncio.Task[None] | None = None
        self._listeners: dict[str, Listener] = {}
        self._clock = clock

    async def __aenter__(self) -> Self:
        settings = self._settings
        trust = Trust(self.ca.pem_file, self.authority.holds)
        self.axis = MohAxis(
            self._tokens(),
            self.records,
            trust,
            self._clock,
            seal=self.ca.issue("MoH axis of the sandbox"),
            data_form=settings.axis_data,
        )
        self.portal = InsurancePortal(
            self._tokens(),
            self.records,
            trust,
            self._clock,
            largest_file=settings.largest_file,
            switches=settings.portal,
            folder=settings.folder / "portal" if settings.folder else None,
        )
        self.coordination = NationalCoordination(self._tokens(), self.records, trust)
        self.fhir = FhirServer(
            self._tokens(),
            self.records,
            trust,
            self._clock,
            scheme=_scheme(settings),
        )
        tls = _tls_context(self.ca, settings.host) if settings.tls else None
        try:
            self._listen(self.portal, settings.portal_port, tls)
            self._listen(self.axis, settings.axis_port, tls)
            self._listen(self.coordination, settings.coordination_port, tls)
            self._listen(self.fhir, settings.fhir_port, tls)
            self._listen(OcspResponder(self.authority), settings.ocsp_port or self._earlier_port("ocsp"), None)
            self._listen(CrlServer(self.authority), settings.crl_port or self._earlier_port("crl"), None)
            self._listen(TimeStampingAuthority(self.authority), settings.tsa_port, None)
            signer = RemoteSigner(self._tokens(), self.authority, self.credentials, scheme=_scheme(settings))
            self._listen(signer, settings.csc_port, tls)
            if settings.alone is None:
                self.authority.publish_at(self.ocsp_url, self.crl_url)
            controls = Controls(
                records=self.records,
                faults=self.faults,
                ca_pem_file=self.ca.pem_file,
                addresses=self.addresses,
                settle=self.settle,
                register=self.register,
                authority=self.authority,
                credentials=self.credentials,
                portal=self.portal,
            )
            self._listeners["admin"] = Listener(admin_app(controls), settings.admin_host, settings.admin_port)
            for listener in self._listeners.values():
                await listener.open()
        except OSError:
            await self._stop()
            raise
        self.faults.changed = self._settle_soon
        await self.settle()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    @property
    def portal_url(self) -> str:
        """Base address of the insurance portal."""
        return self._listeners["insurance_portal"].url

    @property
    def axis_url(self) -> str:
        """Base address of the MoH axis."""
        return self._listeners["moh_axis"].url

    @property
    def coordination_url(self) -> str:
        """Base address of the coordination system."""
        return self._listeners["national_coordination"].url

    @property
    def fhir_url(self) -> str:
        """Base of the FHIR server."""
        return self._listeners["fhir_rest"].url

    @property
    def ocsp_url(self) -> str:
        """Where to ask OCSP; what the certificates say."""
        return self._listeners["ocsp"].url + OCSP_PATH

    @property
    def crl_url(self) -> str:
        """Base address of `/issuing.crl`, `/root.crl` and of the certificates `/issuing.cer`, `/root.cer`."""
        return self._listeners["crl"].url

    @property
    def tsa_url(self) -> str:
        """Where to ask for time stamps."""
        return self._listeners["tsa"].url + TSA_PATH

    @property
    def csc_url(self) -> str:
        """Base address of the remote signer; its methods are below `/csc/v2/`."""
        return self._listeners["csc"].url

    @property
    def admin_url(self) -> str:
        """Base address of the admin interface."""
        return self._listeners["admin"].url

    def addresses(self) -> dict[str, str]:
        """Return all base addresses by name; of OCSP and TSA the address to ask."""
        told = {name: listener.url for name, listener in self._listeners.items()}
        return told if self._settings.alone else told | {"ocsp": self.ocsp_url, "tsa": self.tsa_url}

    def register(self, gln: str, pem: bytes) -> None:
        """Know a sender's transport certificate from now on. Raises ValueError when it is none."""
        self.axis.certificates[gln] = x509.load_pem_x509_certificate(pem)

    def write_keys(self, password: str) -> Path:
        """Write the demo facility's keys as PKCS#12 unless they are there; register its transport certificate.

        Returns the folder: `facility.p12` (the seal of the hospital), `director.p12`, `head.p12`, `doctor.p12`, `nurse.p12`,
        all from the issuing CA, and `transport.p12`, each with the certificate beside it as `.pem`. Raises ValueError when
        `password` does not open those that are there. The remote signer gets the credentials `doctor`, `head` and `seal`.
        """
        for name, holder in DEMO_HOLDERS.items():
            path = self.ca.folder / f"{name}.p12"
            if path.exists():
                _check_opens(path, password)
            else:
                self.ca.write(name, self.authority.issue(holder), password)
        path = self.ca.folder / "transport.p12"
        if path.exists():
            _check_opens(path, password)
        else:
            transport = self.ca.issue(f"{HOSPITAL} (khóa truyền)", organisation=HOSPITAL)
            self.ca.write("transport", transport, password)
        self._add_remote_credentials()
        for account in self._settings.accounts:
            self.register(account.gln, (self.ca.folder / "transport.pem").read_bytes())
        return self.ca.folder

    def _add_remote_credentials(self) -> None:
        pin, facility = self._settings.pin, self._settings.accounts[0].user
        doctor, head, seal = (DEMO_HOLDERS[name] for name in ("doctor", "head", "facility"))
        wanted: dict[str, tuple[Holder, KeyKind, Terms]] = {
            "doctor": (doctor, "rsa2048", Terms(doctor.identifier, pin)),
            "head": (head, "ec256", Terms(head.identifier, pin, multisign=100)),
            "seal": (seal, "rsa3072", Terms(facility, pin, one_time_code=False, scal="1", multisign=1000)),
        }
        for name, (holder, key, terms) in wanted.items():
            if name not in self.credentials.all:
                self.credentials.add(holder, terms, key=key, identifier=name)

    async def settle(self) -> None:
        """Open and close ports as the fault plan says now; return when it is done."""
        for name in PEERS:
            listener = self._listeners.get(name)
            if listener is None:
                continue
            if self.faults.port_closed(name):
                await listener.close()
            else:
                await listener.open()
            self._wake_at_next_change(name)

    def _settle_soon(self) -> None:
        async def settle() -> None:
            if before is not None:
                await asyncio.wait([before])
            await self.settle()

        before = self._settling
        self._settling = asyncio.get_running_loop().create_task(settle())

    def _wake_at_next_change(self, name: str) -> None:
        if (timer := self._timers.pop(name, None)) is not None:
            timer.cancel()
        seconds = self.faults.next_change_s(name)
        if seconds is not None:
            self._timers[name] = asyncio.get_running_loop().call_later(seconds, self._settle_soon)

    def _earlier_port(self, service: str) -> int:
        return urlsplit(self.authority.addresses.get(service, "")).port or 0

    def _tokens(self) -> Tokens:
        return Tokens(self._settings.accounts, self._settings.token_life_s, self._clock)

    def _listen(self, destination: Destination, port: int, tls: ssl.SSLContext | None) -> None:
        if self._settings.alone not in (None, destination.name):
            return
        face = HttpFace(destination, self.faults, lambda scope, reset: self._listeners[name].drop(scope, reset))
        name = destination.name
        self._listeners[name] = Listener(face, self._settings.host, port, tls)

    async def _stop(self) -> None:
        self.faults.changed = lambda: None
        for timer in self._timers.values():
            timer.cancel()
        if self._settling is not None:
            await asyncio.wait([self._settling])
        await asyncio.gather(*(listener.stop() for listener in self._listeners.values()))
        if self._temporary is not None:
            self._temporary.cleanup()


async def run(settings: Settings, *, key_password: str, announce: dict[str, str] | None = None) -> None:
    """Run until SIGTERM or SIGINT; print one JSON line when everything listens: addresses, CA file and `announce`."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(settings) as sandbox:
        keys = sandbox.write_keys(key_password)
        line = sandbox.addresses() | {"ca": str(sandbox.ca.pem_file), "keys": str(keys)} | (announce or {})
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        await stop.wait()


def main(argv: Sequence[str]) -> int:
    """Run the sandbox from the command line; return the exit status."""
    options = _parser().parse_args(argv)
    password = options.password or secrets.token_urlsafe(12)
    try:
        accounts = _read_accounts(options.accounts) if options.accounts else default_accounts(password)
        settings = Settings(
            accounts=accounts,
            host=options.host,
            **{f"{name}_port": getattr(options, f"{name}_port") for name in PORTS},
            admin_host=options.admin_host,
            folder=options.folder,
            tls=options.tls,
            token_life_s=options.token_life,
            pin=options.pin,
            axis_data=options.axis_data,
        )
        announce = {} if options.password else {"user": accounts[0].user, "password": password}
        asyncio.run(run(settings, key_password=options.key_password or password, announce=announce))
    except (OSError, ValueError) as error:
        sys.stderr.write(f"sandbox: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sandbox",
        description="Bốn nơi nhận mô phỏng, kèm CA thử nghiệm (OCSP, CRL, dấu thời gian, ký từ xa), kế hoạch lỗi và sổ ghi.",
    )
    parser.add_argument("--host", default="127.0.0.1", help="địa chỉ lắng nghe của mọi dịch vụ")
    for name in PORTS:
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0: lấy một cổng còn trống")
    parser.add_argument("--admin-host", default="127.0.0.1", help="giao diện quản trị không có đăng nhập")
    parser.add_argument("--folder", type=Path, help="giữ CA, khóa và sổ ghi; lần chạy sau tiếp tục từ đó")
    parser.add_argument("--password", help=f"mật khẩu của tài khoản {USER}; không cho thì tạo ngẫu nhiên và in ra")
    parser.add_argument("--key-password", help="mật khẩu của các tệp PKCS#12; không cho thì như --password")
    parser.add_argument("--accounts", type=Path, help="tệp JSON: danh sách {user, password, facility, gln}")
    parser.add_argument("--tls", action="store_true", help="bốn nơi nhận dùng TLS với chứng thư của CA thử nghiệm")
    parser.add_argument("--pin", default=Settings.pin, help="PIN của các khóa thử ở dịch vụ ký từ xa")
    parser.add_argument("--token-life", type=int, default=600, metavar="GIÂY", help="thời hạn của token")
    parser.add_argument(
        "--axis-data", choices=get_args(DataForm), default="any", help="dạng của data mà trục chấp nhận"
    )
    return parser


def _scheme(settings: Settings) -> str:
    return "https" if settings.tls else "http"


def _check_opens(path: Path, password: str) -> None:
    try:
        pkcs12.load_pkcs12(path.read_bytes(), password.encode())
    except ValueError as error:
        raise ValueError(f"{path}: mật khẩu không mở được; dùng mật khẩu của lần chạy đầu hoặc xóa tệp") from error


def _read_accounts(path: Path) -> tuple[Account, ...]:
    try:
        accounts = tuple(Account(**each) for each in json.loads(path.read_text("utf-8")))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: phải là danh sách JSON gồm user, password, facility, gln") from error
    wrong = [account.user for account in accounts if not gln_is_valid(account.gln)]
    if wrong or not accounts:
        raise ValueError(f"{path}: không có tài khoản nào, hoặc GLN sai: {wrong}")
    return accounts


def _tls_context(ca: DemoCA, host: str) -> ssl.SSLContext:
    identity = ca.issue_server(tuple(dict.fromkeys((host, "127.0.0.1", "localhost"))))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        write_private(path, identity.key_pem + identity.pem)
        context.load_cert_chain(path)
    return context
