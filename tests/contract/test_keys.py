"""Every key provider keeps the same contract.

The token is a real PKCS#11 module, SoftHSM2; the workstation agent is a real one over HTTP with that token; the remote service
is the sandbox's.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates
from pkcs11.exceptions import PinLocked

from conformance.sandbox.holders import KeyKind
from mappings.formats.values import FileName, Secret
from signing import certificates, keys, pades, token, verify, verify_pdf, xmldsig
from signing.agent.guard import Guard
from signing.agent.listener import holder, listening
from signing.agent.service import Agent
from signing.algorithms import ALGORITHMS, names_for
from signing.batch import State, sign_batch, unsigned
from signing.contract import KeyProvider, OnDevice, ToSign
from signing.faults import (
    KeyLocked,
    KeyMisconfigured,
    KeyUnavailable,
    KeyUnsuitable,
    LastTry,
    NotAuthorised,
    NotWanted,
    SigningStopped,
)
from signing.keys import agent as agent_kind
from signing.keys import pkcs11
from signing.testing import AnyMemoryKey, Authority, MemoryKey, new_rsa_key
from signing.verdict import Held
from tests.remote_service import RemoteService, held_key, remote_service
from tests.signer import Halt, Signer
from tests.softhsm import MODULE, SoftHsm
from tests.unit.signing.forge_pdf import base

PIN = Secret("472915")
PASSWORD = Secret("mật khẩu 1")
LONG = 12
HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}


@dataclass(frozen=True)
class Kind:
    """One provider: how to open it well, how to open it so that it must refuse, how its device goes away."""

    name: str
    signer: AnyMemoryKey
    good: dict[str, object]
    wrong_secret: dict[str, object]
    absent: dict[str, object]
    away: Callable[[], Any] | None = None
    """A context in which the device is gone; None when there is none to take away."""
    secrets: tuple[str, ...] = field(default=("password", "pin", "token", "client_secret"))

    def open(self) -> KeyProvider:
        return keys.open_key(self.name, self.good)


@pytest.fixture(scope="session")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="session")
def signer(root: Authority) -> MemoryKey:
    return root.intermediate().issue("Đỗ Văn Khóa", title="Giám đốc")


@pytest.fixture(scope="session")
def signers(root: Authority, signer: MemoryKey) -> dict[str, AnyMemoryKey]:
    return {
        "rsa": signer,
        "p256": root.issue_elliptic("Lê Thị Cong", ec.SECP256R1()),
        "p384": root.issue_elliptic("Lê Thị Cong", ec.SECP384R1()),
    }


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory, signers: dict[str, AnyMemoryKey]) -> Iterator[SoftHsm]:
    if not Path(MODULE).exists() and os.geteuid() != 0:
        pytest.skip("SoftHSM2 is not installed")
    before = os.environ.get("SOFTHSM2_CONF")
    made = SoftHsm(tmp_path_factory.mktemp("softhsm"))
    made.start()
    for label, key in (*signers.items(), ("other", signers["rsa"])):
        made.add(label, PIN)
        made.put(label, PIN, key, asks_always=label == "p384")
    yield made
    token.load(MODULE).library.finalize()
    os.environ.pop("SOFTHSM2_CONF", None)
    if before is not None:
        os.environ["SOFTHSM2_CONF"] = before


@pytest.fixture(scope="session")
def remote_host() -> Iterator[RemoteService]:
    with remote_service() as running:
        yield running


@contextmanager
def pulled(softhsm: SoftHsm) -> Iterator[None]:
    softhsm.pull()
    try:
        yield
    finally:
        softhsm.plug()


@dataclass
class Service:
    """Something that listens and can be taken away, and comes back at the same port."""

    start: Callable[[int], Any]
    running: ExitStack = field(default_factory=ExitStack)
    port: int = 0

    def up(self) -> None:
        started: Any = self.running.enter_context(self.start(self.port))
        self.port = int(str(started).rpartition(":")[2])

    @contextmanager
    def away(self) -> Iterator[None]:
        self.running.close()
        try:
            yield
        finally:
            self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def service(start: Callable[[int], Any]) -> Iterator[Service]:
    made = Service(start)
    made.up()
    with made.running:
        yield made


@pytest.fixture
def make_kind(
    request: pytest.FixtureRequest, signers: dict[str, AnyMemoryKey], tmp_path: Path
) -> Iterator[Callable[[str], Kind]]:
    with ExitStack() as stack:

        def make(name: str) -> Kind:
            kind, _, which = name.partition("-")
            key = signers[which]
            if kind == "pkcs12":
                return pkcs12_kind(key, tmp_path)
            if kind == "remote":
                return remote_kind(request.getfixturevalue("remote_host"), which)
            softhsm: SoftHsm = request.getfixturevalue("softhsm")
            if kind == "pkcs11":
                good: dict[str, object] = {"module": MODULE, "token": which, "pin": PIN, "sessions": 3}
                wrong = {**good, "pin": "000000"}
                return Kind(kind, key, good, wrong, {**good, "token": "none"}, lambda: pulled(softhsm))
            return stack.enter_context(agent_kind_of(key, which))

        yield make


def pkcs12_kind(key: AnyMemoryKey, folder: Path) -> Kind:
    file = folder / "unit.p12"
    file.write_bytes(key.pkcs12(PASSWORD))
    good: dict[str, object] = {"file": str(file), "password": PASSWORD}
    return Kind("pkcs12", key, good, {**good, "password": "khác 2"}, {**good, "file": str(file) + ".none"})


def remote_kind(service: RemoteService, which: str) -> Kind:
    sizes: dict[str, KeyKind] = {"rsa": "rsa2048", "p256": "ec256", "p384": "ec384"}
    credential = service.add(sizes[which], code=False, multisign=3)
    good = service.options(credential)
    wrong = {**good, "client_secret": Secret("khác 2")}
    absent = {**good, "url": "http://127.0.0.1:1/csc/v2"}
    return Kind("remote", held_key(credential), good, wrong, absent, service.away)


@contextmanager
def agent_kind_of(key: AnyMemoryKey, label: str) -> Iterator[Kind]:
    guard, halt = Guard(frozenset()), Halt(at=LONG - 2)
    agent = Agent(halt.holder(holder(FileName(MODULE), label)), guard, Signer([PIN]).announce)

    @contextmanager
    def away() -> Iterator[None]:
        with listener.away():
            halt.gate.set()
            yield
            for thread in threading.enumerate():
                if thread.name == "signing":
                    thread.join(timeout=10)

    with service(lambda port: listening(agent, guard, port)) as listener:
        paired = agent_kind.pair(listener.url, guard.new_code())
        good: dict[str, object] = {"url": listener.url, "token": paired, "wait": timedelta(seconds=20)}
        absent = {**good, "url": "http://127.0.0.1:1"}
        yield Kind("agent", key, good, {**good, "token": "falsch"}, absent, away)


NAMES = (
    "pkcs12-rsa",
    "pkcs12-p256",
    "pkcs12-p384",
    "pkcs11-rsa",
    "pkcs11-p256",
    "pkcs11-p384",
    "remote-rsa",
    "remote-p256",
    "remote-p384",
    "agent-rsa",
    "agent-p256",
    "agent-p384",
)
WITH_A_DEVICE = [name for name in NAMES if not name.startswith("pkcs12")]


@pytest.fixture(params=NAMES)
def kind(request: pytest.FixtureRequest, make_kind: Callable[[str], Kind]) -> Kind:
    return make_kind(request.param)


def documents(algorithm: str, count: int) -> tuple[list[bytes], list[ToSign]]:
    papers = [b"paper %d" % number for number in range(count)]
    return papers, [ToSign(ALGORITHMS[algorithm].digest(paper), f"Giấy {n}") for n, paper in enumerate(papers)]


def require_good(key: AnyMemoryKey, algorithm: str, signature: object, data: bytes) -> None:
    """Verify with `cryptography`, beside the code under test."""
    assert isinstance(signature, bytes)
    public, hash_ = key.private_key.public_key(), HASHES[algorithm[2:]]
    if isinstance(public, ec.EllipticCurvePublicKey):
        public.verify(der(signature), data, ec.ECDSA(hash_))
    elif algorithm.startswith("PS"):
        public.verify(signature, data, padding.PSS(padding.MGF1(hash_), hash_.digest_size), hash_)
    else:
        public.verify(signature, data, padding.PKCS1v15(), hash_)


def der(signature: bytes) -> bytes:
    half = len(signature) // 2
    return encode_dss_signature(int.from_bytes(signature[:half]), int.from_bytes(signature[half:]))


def test_every_kind_is_under_this_contract() -> None:
    assert keys.kinds() == tuple(sorted({name.partition("-")[0] for name in NAMES}))


def test_the_key_is_the_first_certificates_and_names_what_it_can_do(kind: Kind) -> None:
    key = kind.open()
    assert key.chain == kind.signer.chain
    assert set(key.algorithms) == set(names_for(kind.signer.private_key.public_key()))
    require_good(kind.signer, key.algorithms[0], key.sign(b"data"), b"data")


def test_a_key_in_a_token_says_in_which(kind: Kind) -> None:
    key = kind.open()
    if kind.name == "pkcs11":
        found = token.find(token.load(MODULE), str(kind.good["token"]))
        assert isinstance(key, OnDevice)
        assert key.device == found.serial.decode().strip() != ""
    else:
        assert isinstance(key, OnDevice) == (kind.name == "agent")


def test_every_algorithm_is_good_for_openssl_too(kind: Kind, tmp_path: Path) -> None:
    key = kind.open()
    (tmp_path / "data").write_bytes(b"data")
    public = kind.signer.private_key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (tmp_path / "public.pem").write_bytes(public)
    for algorithm in key.algorithms:
        signature = key.sign(b"data", algorithm)
        require_good(kind.signer, algorithm, signature, b"data")
        (tmp_path / "signature").write_bytes(der(signature) if algorithm.startswith("ES") else signature)
        command = ["openssl", "dgst", f"-sha{algorithm[2:]}", "-verify", "public.pem", "-signature", "signature"]
        if algorithm.startswith("PS"):
            command += ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
        judged = subprocess.run([*command, "data"], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert judged.stdout == "Verified OK\n", algorithm


def test_hashes_are_signed_in_their_order(kind: Kind) -> None:
    key = kind.open()
    for algorithm in {key.algorithms[0], key.algorithms[-1]}:
        papers, to_sign = documents(algorithm, 8)
        signatures = list(key.sign_hashes(to_sign, algorithm))
        assert len(signatures) == 8
        for paper, signature in zip(papers, signatures, strict=True):
            require_good(kind.signer, algorithm, signature, paper)
    assert list(key.sign_hashes([])) == []


def test_what_the_key_cannot_do_is_said_before_anything_is_signed(kind: Kind) -> None:
    key = kind.open()
    for other in set(ALGORITHMS) - set(key.algorithms) | {"none", "HS256"}:
        with pytest.raises(KeyUnsuitable):
            key.sign(b"data", other)
        with pytest.raises(KeyUnsuitable):
            key.sign_hashes([ToSign(bytes(32))], other)
    with pytest.raises(KeyUnsuitable):
        key.sign_hashes([ToSign(bytes(32)), ToSign(bytes(20))], key.algorithms[0])


def test_signed_paper_verifies(kind: Kind, root: Authority, signer: MemoryKey) -> None:
    if isinstance(kind.signer, MemoryKey):
        signed = xmldsig.sign("<r>Vũ</r>".encode(), kind.open())
        roots = [root.certificate, kind.signer.chain[-1]]  # the service has an authority of its own
        assert verify.verify(signed, roots).signer == certificates.signer_of(kind.signer.chain[0])
    else:
        with pytest.raises(KeyUnsuitable):
            xmldsig.sign("<r>Vũ</r>".encode(), kind.open())


def test_signed_pdf_verifies(kind: Kind) -> None:
    key = kind.open()
    prepared = pades.prepare(base(), key.chain[0], algorithm=key.algorithms[0])
    (signature,) = key.sign_hashes([ToSign(prepared.digest)], prepared.algorithm)
    assert isinstance(signature, bytes)
    (held,) = verify_pdf.read(pades.inject(prepared, signature, key.chain))
    assert isinstance(held, Held)
    assert held.leaf == kind.signer.chain[0]


def test_wrong_secret_is_not_authorised(kind: Kind) -> None:
    with pytest.raises(NotAuthorised):
        keys.open_key(kind.name, kind.wrong_secret)


def test_absent_holder_is_unavailable(kind: Kind) -> None:
    with pytest.raises(KeyUnavailable):
        keys.open_key(kind.name, kind.absent)


def test_nothing_shows_the_secret(kind: Kind) -> None:
    named = [name for name in kind.secrets if isinstance(kind.good.get(name), Secret)]
    key = kind.open()
    with pytest.raises(NotAuthorised) as caught:
        keys.open_key(kind.name, kind.wrong_secret)
    shown = f"{key!r} {vars(key)!r} {caught.value} {caught.value.__cause__!r}"
    secrets = [str(options[name]) for options in (kind.good, kind.wrong_secret) for name in named]
    assert secrets
    assert not [secret for secret in secrets if secret in shown]


def test_threads_share_a_key(kind: Kind) -> None:
    key, start = kind.open(), Barrier(3)

    def sign_many(thread: int) -> None:
        start.wait(timeout=10)
        for number in range(2 if kind.name == "agent" else 20):
            data = b"%d-%d" % (thread, number)
            require_good(kind.signer, key.algorithms[0], key.sign(data), data)

    if kind.name == "agent":
        for thread in range(2):  # one token, one PIN, one person: the second batch waits for the first
            start = Barrier(1)
            sign_many(thread)
        return
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(sign_many, range(3)))


def test_two_keys_of_one_holder_live_side_by_side(kind: Kind) -> None:
    first, second = kind.open(), kind.open()
    for key in (first, second, first):
        require_good(kind.signer, key.algorithms[0], key.sign(b"1"), b"1")


@pytest.mark.parametrize("name", WITH_A_DEVICE)
def test_a_batch_goes_on_when_the_device_is_back(name: str, make_kind: Callable[[str], Kind]) -> None:
    kind = make_kind(name)
    assert kind.away is not None
    key = keys.open_key(kind.name, {**kind.good, **({"sessions": 1} if kind.name == "pkcs11" else {})})
    algorithm = key.algorithms[0]
    papers, to_sign = documents(algorithm, LONG)
    batch = {paper.decode(): one for paper, one in zip(papers, to_sign, strict=True)}
    results = []
    with ExitStack() as stack:
        for result in sign_batch(batch, key):
            results.append(result)
            if len(results) == 1:
                stack.enter_context(kind.away())
        assert [result.name for result in results] == list(batch)
        assert results[0].state is State.SIGNED
        states = [result.state for result in results]
        fault = next(result.fault for result in results if result.state is State.FAILED)
        assert isinstance(fault, KeyUnavailable)
        assert states.count(State.FAILED) == 1
        assert states[states.index(State.FAILED) + 1 :] == [State.NOT_REACHED] * (LONG - 1 - states.index(State.FAILED))
        with pytest.raises(KeyUnavailable):
            key.sign(b"away")
    rest = unsigned(batch, results)
    assert rest
    again = list(sign_batch(rest, key))
    assert {result.state for result in again} == {State.SIGNED}
    signed = {result.name: result.signature for result in (*results, *again) if result.signature}
    assert signed.keys() == batch.keys()
    for data, signature in signed.items():
        require_good(kind.signer, algorithm, signature, data.encode())


@pytest.mark.parametrize(
    ("kind_name", "options", "where"),
    [
        ("none", {}, "kind"),
        ("__init__", {}, "kind"),
        ("pkcs12", {"file": "a"}, "password"),
        ("pkcs12", {"file": "a", "password": "b", "colour": "c"}, "colour"),
        ("pkcs12", {"file": 1, "password": "b"}, "file"),
        ("pkcs11", {"module": "m", "token": "t", "key": "k"}, "pin"),
        ("pkcs11", {"module": "m", "token": "t", "pin": "p", "sessions": "2"}, "sessions"),
        ("remote", {"url": "https://a/csc/v2"}, "credential"),
        ("remote", {"url": "https://a/csc/v2", "credential": "c"}, "client_id"),
        ("remote", {"url": "http://a.vn/csc/v2", "credential": "c", "user": "u"}, "url"),
        ("agent", {"url": "http://a.vn", "token": "t"}, "url"),
    ],
)
def test_misconfigured_key_names_the_setting(kind_name: str, options: dict[str, object], where: str) -> None:
    with pytest.raises(KeyMisconfigured) as caught:
        keys.open_key(kind_name, options)
    assert caught.value.where == where


# ---- pkcs12 alone ----


@pytest.mark.parametrize("damage", [b"", b"text", b"\x30\x03\x02\x01", b"\x30\x82\xff\xff\x00"])
def test_damaged_file_is_unavailable_not_a_wrong_password(damage: bytes, tmp_path: Path) -> None:
    file = tmp_path / "key.p12"
    file.write_bytes(damage)
    with pytest.raises(KeyUnavailable):
        keys.open_key("pkcs12", {"file": str(file), "password": "x"})


def test_cut_off_file_is_unavailable(signer: MemoryKey, tmp_path: Path) -> None:
    file = tmp_path / "key.p12"
    file.write_bytes(signer.pkcs12(PASSWORD)[:-10])
    with pytest.raises(KeyUnavailable):
        keys.open_key("pkcs12", {"file": str(file), "password": PASSWORD})


def test_file_too_large_is_unavailable(tmp_path: Path) -> None:
    size = 2 * 1024 * 1024
    file = tmp_path / "key.p12"
    file.write_bytes(b"\x30\x83" + size.to_bytes(3) + bytes(size))
    with pytest.raises(KeyUnavailable):
        keys.open_key("pkcs12", {"file": str(file), "password": "x"})


def test_weak_key_is_refused(root: Authority, tmp_path: Path) -> None:
    file = tmp_path / "key.p12"
    file.write_bytes(root.issue("Yếu", private_key=new_rsa_key(1024)).pkcs12(Secret("x")))
    with pytest.raises(KeyUnsuitable, match="1024"):
        keys.open_key("pkcs12", {"file": str(file), "password": "x"})


def test_file_without_a_key_is_refused(signer: MemoryKey, tmp_path: Path) -> None:
    certificate = serialize_key_and_certificates(b"x", None, signer.chain[0], None, serialization.NoEncryption())
    file = tmp_path / "key.p12"
    file.write_bytes(certificate)
    with pytest.raises(KeyUnsuitable):
        keys.open_key("pkcs12", {"file": str(file), "password": ""})


# ---- pkcs11 alone ----


def open_token(label: str = "rsa", pin: Secret = PIN, **more: Any) -> pkcs11.Key:
    return pkcs11.Key(pkcs11.Settings(module=FileName(MODULE), token=label, pin=pin, **more))


def test_forgotten_session_is_opened_again(softhsm: SoftHsm, signer: MemoryKey) -> None:
    key = open_token()
    token.restart(MODULE)
    assert key.sign(b"after") == signer.sign(b"after")
    key.close()
    assert key.sign(b"closed") == signer.sign(b"closed")


@pytest.mark.parametrize("sessions", [1, 4])
def test_threads_that_lose_the_session_together_find_it_again(
    sessions: int, softhsm: SoftHsm, signer: MemoryKey
) -> None:
    key, expected = open_token(sessions=sessions), signer.sign(b"data")
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            token.restart(MODULE)
            start = Barrier(4)

            def sign(_: int, start: Barrier = start) -> bytes:
                start.wait(timeout=10)
                return key.sign(b"data")

            assert list(threads.map(sign, range(4))) == [expected] * 4


def test_a_session_of_an_earlier_start_closes_none_of_the_present_one(softhsm: SoftHsm, signer: MemoryKey) -> None:
    token.restart(MODULE)
    key, expected = open_token(sessions=2), signer.sign(b"data")
    before = key._current()
    held = before._take()
    token.restart(MODULE)
    assert key.sign(b"data") == expected
    after = key._current()
    before._give_back(*held)
    assert key.sign(b"data") == expected
    assert key._current() is after, "the module numbers its sessions anew, and another's was closed"


def test_changed_pin_is_tried_once_only(softhsm: SoftHsm) -> None:
    key = open_token("other")
    softhsm.set_pin("other", PIN, Secret("998877"))
    try:
        token.restart(MODULE)
        for _ in range(3):
            with pytest.raises(NotAuthorised):
                key.sign(b"data")
        softhsm.set_pin("other", Secret("998877"), PIN)
        with pytest.raises(NotAuthorised, match="not tried again"):
            key.sign(b"data")
    finally:
        token.restart(MODULE)


def test_the_token_tells_of_wrong_pins_until_a_right_one(softhsm: SoftHsm) -> None:
    key = open_token()
    key.close()
    with pytest.raises(NotAuthorised, match="wrong before"):
        open_token(pin=Secret("111111"))
    assert key.pin_state() is token.PinState.WRONG_BEFORE
    assert token.view(MODULE, "rsa").pin is token.PinState.WRONG_BEFORE
    key.sign(b"data")
    assert key.pin_state() is token.PinState.FINE


class Flagged:
    """A token that raises the flags which SoftHSM never raises, and counts log-ins."""

    def __init__(self, real: Any, flags: int) -> None:
        self.real, self.flags, self.opened = real, flags, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def open(self, **how: Any) -> Any:
        self.opened += "user_pin" in how
        return self.real.open(**how)


@pytest.mark.parametrize(
    ("flags", "fault", "state"),
    [(0x40000, KeyLocked, token.PinState.LOCKED), (0x20000, LastTry, token.PinState.LAST_TRY)],
)
def test_a_locked_token_and_the_last_try_are_left_alone(
    flags: int, fault: type[Exception], state: token.PinState, softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch
) -> None:
    flagged = Flagged(token.find(token.load(MODULE), "rsa"), flags)
    monkeypatch.setattr(token, "find", lambda *_: flagged)
    with pytest.raises(fault):
        open_token()
    assert flagged.opened == 0
    assert token.pin_state(flagged) is state


def test_a_person_may_use_the_last_try(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    flagged = Flagged(token.find(token.load(MODULE), "rsa"), 0x20000)
    monkeypatch.setattr(token, "find", lambda *_: flagged)
    settings = pkcs11.Settings(module=FileName(MODULE), token="rsa", pin=PIN)
    assert pkcs11.Key(settings, last_try=True).sign(b"data")
    assert flagged.opened == 1


def test_a_pin_that_locks_the_token_is_told_as_that(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    real = token.find

    def locking(*which: Any) -> Any:
        flagged = Flagged(real(*which), 0x10000)

        def refuse(**_: Any) -> Any:
            flagged.flags = 0x40000
            monkeypatch.setattr(token, "find", lambda *_: flagged)
            raise PinLocked

        monkeypatch.setattr(flagged, "open", refuse)
        return flagged

    monkeypatch.setattr(token, "find", locking)
    with pytest.raises(KeyLocked):
        open_token()


def test_another_token_of_the_same_name_signs_nothing(
    softhsm: SoftHsm, root: Authority, tmp_path: Path, signer: MemoryKey
) -> None:
    key = open_token()
    softhsm.pull()
    try:
        softhsm.add("rsa", PIN)
        softhsm.put("rsa", PIN, root.issue("Người khác"))
        with pytest.raises(KeyUnsuitable, match="another key"):
            key.sign(b"data")
    finally:
        for left in list(softhsm.tokens.iterdir()):
            left.rename(tmp_path / left.name)
        softhsm.plug()
    assert key.sign(b"data") == signer.sign(b"data")


def test_the_only_token_and_the_only_key_need_no_names(softhsm: SoftHsm, tmp_path: Path, root: Authority) -> None:
    with pytest.raises(KeyUnsuitable, match="tokens fit"):
        open_token("")
    softhsm.pull()
    try:
        alone = root.issue("Một mình")
        softhsm.add("x", PIN)
        softhsm.put("x", PIN, alone)
        assert open_token("").chain == alone.chain
        softhsm.put("x", PIN, root.issue("Khóa thứ hai"), "second")
        with pytest.raises(KeyUnsuitable, match="several"):
            open_token("")
    finally:
        for left in list(softhsm.tokens.iterdir()):
            left.rename(tmp_path / left.name)
        softhsm.plug()


@pytest.mark.parametrize(("change", "where"), [({"module": "/none.so"}, "module"), ({"key": "none"}, "key")])
def test_what_is_missing_is_named(change: dict[str, object], where: str, softhsm: SoftHsm) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        keys.open_key("pkcs11", {"module": MODULE, "token": "rsa", "pin": PIN, **change})
    assert caught.value.where == where


@dataclass
class Meeting:
    """A token's key that signs when as many others are about to."""

    real: Any
    others: Barrier

    def sign(self, *data: Any, **how: Any) -> bytes:
        self.others.wait(timeout=10)
        return bytes(self.real.sign(*data, **how))


def test_as_many_signatures_are_made_at_once_as_there_are_sessions(softhsm: SoftHsm, signer: MemoryKey) -> None:
    key, others = open_token(sessions=3), Barrier(3)
    assert key._login
    key._login._free = [(session, Meeting(real, others)) for session, real in key._login._free]
    papers, to_sign = documents("RS256", 6)
    assert list(key.sign_hashes(to_sign)) == [signer.sign(paper) for paper in papers]


def test_closing_a_batch_of_many_sessions_stops_it(softhsm: SoftHsm, monkeypatch: pytest.MonkeyPatch) -> None:
    key = open_token(sessions=2)
    made = []
    original = pkcs11.Key._sign
    monkeypatch.setattr(pkcs11.Key, "_sign", lambda *a: made.append(1) or original(*a))  # type: ignore[func-returns-value]
    _, to_sign = documents("RS256", 200)
    signatures = key.sign_hashes(to_sign)
    next(signatures)
    signatures.close()  # type: ignore[attr-defined]  # it is a generator
    assert len(made) <= 8


# ---- agent alone ----


@contextmanager
def agent_of(person: Signer, label: str = "rsa") -> Iterator[tuple[Agent, agent_kind.Settings]]:
    guard = Guard(frozenset())
    made = Agent(holder(FileName(MODULE), label), guard, person.announce)
    with listening(made, guard, 0) as address:
        paired = agent_kind.pair(address, guard.new_code())
        yield made, agent_kind.Settings(address, paired, timedelta(seconds=20))


def test_a_paper_left_out_is_a_fault_in_its_place(softhsm: SoftHsm, signer: MemoryKey) -> None:
    with agent_of(Signer([PIN], leave=["1"])) as (_, settings):
        papers, to_sign = documents("RS256", 3)
        first, second, third = agent_kind.Key(settings).sign_hashes(to_sign)
        assert (first, third) == (signer.sign(papers[0]), signer.sign(papers[2]))
        assert isinstance(second, NotWanted)


def test_a_wrong_pin_at_the_workstation_can_be_corrected_there(softhsm: SoftHsm, signer: MemoryKey) -> None:
    with agent_of(Signer([Secret("000000"), PIN])) as (_, settings):
        assert agent_kind.Key(settings).sign(b"data") == signer.sign(b"data")


def test_nobody_before_the_screen_ends_in_a_stop(softhsm: SoftHsm) -> None:
    with agent_of(Signer([])) as (_, settings):
        patient = agent_kind.Settings(settings.url, settings.token, timedelta(0))
        with pytest.raises(SigningStopped):
            agent_kind.Key(patient).sign(b"data")


def test_no_token_at_the_workstation_is_transient(softhsm: SoftHsm) -> None:
    with agent_of(Signer([]), "none") as (_, settings), pytest.raises(KeyUnavailable):
        agent_kind.Key(settings)
