"""Every key provider keeps the same contract. The token is a real PKCS#11 module: SoftHSM2, in a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Barrier
from typing import Any

import pkcs11
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from mappings.formats.values import Secret
from signing import keys, token, verify, xmldsig
from signing.contract import KeyProvider
from signing.faults import KeyMisconfigured, KeyUnavailable, KeyUnsuitable, NotAuthorised
from signing.testing import Authority, MemoryKey, new_rsa_key

SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
PIN = Secret("472915")
SO_PIN = "so-pin-1"


@dataclass(frozen=True)
class Kind:
    """One provider: how to open it well, and how to open it so that it must refuse."""

    name: str
    good: dict[str, object]
    wrong_secret: dict[str, object]
    absent: dict[str, object]

    def open(self) -> KeyProvider:
        return keys.open_key(self.name, self.good)


@pytest.fixture(scope="session")
def root() -> Authority:
    return Authority.root()


@pytest.fixture(scope="session")
def signer(root: Authority) -> MemoryKey:
    return root.intermediate().issue("Đỗ Văn Khóa", title="Giám đốc")


@pytest.fixture(scope="session")
def pkcs12_kind(signer: MemoryKey, tmp_path_factory: pytest.TempPathFactory) -> Kind:
    file = tmp_path_factory.mktemp("keys") / "unit.p12"
    password = Secret("mật khẩu 1")
    file.write_bytes(signer.pkcs12(password))
    good: dict[str, object] = {"file": str(file), "password": password}
    return Kind("pkcs12", good, {**good, "password": "khác"}, {**good, "file": str(file) + ".none"})


@pytest.fixture(scope="session")
def token_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if not SOFTHSM.exists() and os.geteuid() != 0:
        pytest.skip("SoftHSM2 is not installed")
    directory = tmp_path_factory.mktemp("softhsm")
    tokens = directory / "tokens"
    tokens.mkdir()
    (directory / "softhsm2.conf").write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SOFTHSM2_CONF", str(directory / "softhsm2.conf"))
        for label in ("unit", "other"):
            subprocess.run(
                ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN],
                check=True,
                capture_output=True,
            )
        yield tokens


@pytest.fixture(scope="session")
def pkcs11_kind(signer: MemoryKey, token_directory: Path) -> Iterator[Kind]:
    module = token.load(str(SOFTHSM)).library
    for label in ("unit", "other"):
        _import(module.get_token(token_label=label), signer)
    good: dict[str, object] = {"module": str(SOFTHSM), "token": "unit", "key": "signer", "pin": PIN}
    yield Kind("pkcs11", good, {**good, "token": "other", "pin": "000000"}, {**good, "token": "none"})
    module.finalize()


def _import(where: pkcs11.Token, signer: MemoryKey) -> None:
    numbers = signer.private_key.private_numbers()
    attributes = {
        pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
        pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.RSA,
        pkcs11.Attribute.LABEL: "signer",
        pkcs11.Attribute.ID: b"\x01",
        pkcs11.Attribute.TOKEN: True,
        pkcs11.Attribute.PRIVATE: True,
        pkcs11.Attribute.SENSITIVE: True,
        pkcs11.Attribute.SIGN: True,
        pkcs11.Attribute.MODULUS: _octets(numbers.public_numbers.n),
        pkcs11.Attribute.PUBLIC_EXPONENT: _octets(numbers.public_numbers.e),
        pkcs11.Attribute.PRIVATE_EXPONENT: _octets(numbers.d),
        pkcs11.Attribute.PRIME_1: _octets(numbers.p),
        pkcs11.Attribute.PRIME_2: _octets(numbers.q),
        pkcs11.Attribute.EXPONENT_1: _octets(numbers.dmp1),
        pkcs11.Attribute.EXPONENT_2: _octets(numbers.dmq1),
        pkcs11.Attribute.COEFFICIENT: _octets(numbers.iqmp),
    }
    with where.open(rw=True, user_pin=str(PIN)) as session:
        session.create_object(attributes)
        for certificate in reversed(signer.chain):  # the issuer first: the order in a token means nothing
            session.create_object(
                {
                    pkcs11.Attribute.CLASS: pkcs11.ObjectClass.CERTIFICATE,
                    pkcs11.Attribute.CERTIFICATE_TYPE: pkcs11.CertificateType.X_509,
                    pkcs11.Attribute.TOKEN: True,
                    pkcs11.Attribute.SUBJECT: certificate.subject.public_bytes(),
                    pkcs11.Attribute.VALUE: certificate.public_bytes(serialization.Encoding.DER),
                }
            )


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)


@pytest.fixture(params=["pkcs12", "pkcs11"])
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.getfixturevalue(f"{request.param}_kind")
    return found


def test_every_kind_is_under_this_contract() -> None:
    assert keys.kinds() == ("pkcs11", "pkcs12")


def test_signature_is_made_by_the_key_of_the_first_certificate(kind: Kind, signer: MemoryKey) -> None:
    key = kind.open()
    assert key.chain == signer.chain
    signature = key.sign(b"data")
    signer.private_key.public_key().verify(signature, b"data", padding.PKCS1v15(), hashes.SHA256())
    assert signature == signer.sign(b"data")


def test_signed_paper_verifies(kind: Kind, root: Authority) -> None:
    signed = xmldsig.sign("<r>Vũ</r>".encode(), kind.open())
    assert verify.verify(signed, [root.certificate]).signer.title == "Giám đốc"


def test_wrong_secret_is_not_authorised(kind: Kind) -> None:
    with pytest.raises(NotAuthorised):
        keys.open_key(kind.name, kind.wrong_secret)


def test_absent_holder_is_unavailable(kind: Kind) -> None:
    with pytest.raises(KeyUnavailable):
        keys.open_key(kind.name, kind.absent)


def test_nothing_shows_the_secret(kind: Kind) -> None:
    secrets = [str(kind.good[name]) for name in ("password", "pin") if name in kind.good]
    key = kind.open()
    with pytest.raises(NotAuthorised) as caught:
        keys.open_key(kind.name, kind.wrong_secret)
    wrong = [str(kind.wrong_secret[name]) for name in ("password", "pin") if name in kind.wrong_secret]
    shown = f"{key!r} {vars(key)!r} {caught.value} {caught.value.__cause__!r}"
    assert secrets
    assert not [secret for secret in (*secrets, *wrong) if secret in shown]


def test_two_threads_share_a_key(kind: Kind, signer: MemoryKey) -> None:
    key, start = kind.open(), Barrier(2)

    def sign_many(thread: int) -> bool:
        start.wait(timeout=10)
        papers = [b"%d-%d" % (thread, number) for number in range(40)]
        return all(key.sign(paper) == signer.sign(paper) for paper in papers)

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(sign_many, range(2))) == [True, True]


def test_two_keys_of_one_holder_live_side_by_side(kind: Kind, signer: MemoryKey) -> None:
    first, second = kind.open(), kind.open()
    assert first.sign(b"1") == second.sign(b"1") == signer.sign(b"1")
    assert first.sign(b"2") == signer.sign(b"2")


@pytest.mark.parametrize(
    ("kind_name", "options", "where"),
    [
        ("none", {}, "kind"),
        ("__init__", {}, "kind"),
        ("pkcs12", {"file": "a"}, "password"),
        ("pkcs12", {"file": "a", "password": "b", "colour": "c"}, "colour"),
        ("pkcs12", {"file": 1, "password": "b"}, "file"),
        ("pkcs11", {"module": "m", "token": "t", "key": "k"}, "pin"),
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


def test_cut_off_file_is_unavailable(pkcs12_kind: Kind, tmp_path: Path) -> None:
    file = tmp_path / "key.p12"
    file.write_bytes(Path(str(pkcs12_kind.good["file"])).read_bytes()[:-10])
    with pytest.raises(KeyUnavailable):
        keys.open_key("pkcs12", {**pkcs12_kind.good, "file": str(file)})


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


def test_forgotten_session_is_opened_again(pkcs11_kind: Kind, signer: MemoryKey) -> None:
    key = pkcs11_kind.open()
    token.restart(str(SOFTHSM))
    assert key.sign(b"after") == signer.sign(b"after")


def test_token_taken_away_and_put_back(pkcs11_kind: Kind, signer: MemoryKey, token_directory: Path) -> None:
    key = pkcs11_kind.open()
    module, away = pkcs11.lib(str(SOFTHSM)), token_directory.with_name("away")
    shutil.move(token_directory, away)
    token_directory.mkdir()
    try:
        token.restart(str(SOFTHSM))
        for _ in range(2):
            with pytest.raises(KeyUnavailable):
                key.sign(b"away")
    finally:
        token_directory.rmdir()
        shutil.move(away, token_directory)
    token.restart(str(SOFTHSM))
    assert key.sign(b"back") == signer.sign(b"back")


def test_threads_that_lose_the_session_together_find_it_again(pkcs11_kind: Kind, signer: MemoryKey) -> None:
    key, module, expected = pkcs11_kind.open(), pkcs11.lib(str(SOFTHSM)), signer.sign(b"data")
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            token.restart(str(SOFTHSM))
            start = Barrier(4)

            def sign(_: int, start: Barrier = start) -> bytes:
                start.wait(timeout=10)
                return key.sign(b"data")

            assert list(threads.map(sign, range(4))) == [expected] * 4


def test_changed_pin_is_tried_once_only(pkcs11_kind: Kind, token_directory: Path) -> None:
    key = keys.open_key("pkcs11", {**pkcs11_kind.good, "token": "other"})
    module = token.load(str(SOFTHSM)).library
    _set_pin(module, PIN, Secret("998877"))
    try:
        token.restart(str(SOFTHSM))
        for _ in range(3):
            with pytest.raises(NotAuthorised):
                key.sign(b"data")
        _set_pin(module, Secret("998877"), PIN)
        with pytest.raises(NotAuthorised, match="not tried again"):
            key.sign(b"data")
    finally:
        token.restart(str(SOFTHSM))


def _set_pin(module: Any, old: Secret, new: Secret) -> None:
    token.restart(str(SOFTHSM))
    with module.get_token(token_label="other").open(rw=True, user_pin=str(old)) as session:
        session.set_pin(str(old), str(new))


@pytest.mark.parametrize(
    ("change", "where"),
    [({"module": "/none.so"}, "module"), ({"key": "none"}, "key")],
)
def test_what_is_missing_is_named(change: dict[str, object], where: str, pkcs11_kind: Kind) -> None:
    with pytest.raises(KeyUnavailable) as caught:
        keys.open_key("pkcs11", {**pkcs11_kind.good, **change})
    assert caught.value.where == where
