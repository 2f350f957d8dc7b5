"""A time stamp is asked for and believed only when everything about it is as asked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings.formats.faults import FaultClass
from signing import timestamp_token
from signing.faults import TimestampInvalid, TimestampUnavailable
from signing.testing import Authority
from signing.timestamp import TimestampClient, TimestampService
from signing.timestamp_token import Token
from tests.tsa import POLICY, Tsa, tsa_certificate

DATA = b"<SignatureValue/>"


@pytest.fixture
def tsa(issuing: Authority) -> Tsa:
    return Tsa.of(issuing)


def ask(root: Authority, *tsas: Tsa, client: TimestampClient | None = None, policy: str = "") -> Token:
    by_host = {f"tsa{number}": tsa for number, tsa in enumerate(tsas)}
    asked = client or client_of(root, len(tsas), policy=policy)
    with httpx.Client(transport=httpx.MockTransport(lambda r: by_host[r.url.host].handle(r))) as http:
        return asked.stamp(DATA, http)


def client_of(root: Authority, count: int, policy: str = "", **options: object) -> TimestampClient:
    services = [TimestampService(f"http://tsa{n}/", (root.certificate,), policy) for n in range(count)]
    return TimestampClient(services, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["pkcs1", "pss", "ecdsa"])
def test_honest_authority(kind: str, root: Authority, issuing: Authority, tsa: Tsa) -> None:
    if kind == "ecdsa":
        key = ec.generate_private_key(ec.SECP256R1())
        tsa = Tsa(key, tsa_certificate(issuing, key.public_key()), issuing.issuers)
    tsa.pss = kind == "pss"
    token = ask(root, tsa)
    assert token.certificate == tsa.certificate
    assert token.policy == POLICY
    assert token.serial == 4711
    assert abs(token.at - datetime.now(UTC)) < timedelta(seconds=60)
    assert timestamp_token.read(token.der) == token
    timestamp_token.require_imprint(token, DATA)
    assert timestamp_token.require_authority(token, [root.certificate])[-1] == root.certificate


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("nonce", "nonce"),
        ("no nonce", "nonce"),
        ("imprint", "messageImprint"),
        ("policy", "policy"),
        ("signature", "token"),
        ("digest", "token"),
        ("named", "token"),
        ("no certificate", "token"),
        ("twice", "token"),
        ("many", "token"),
        ("page", "response"),
    ],
)
def test_wrong_answer_is_refused(wrong: str, where: str, root: Authority, tsa: Tsa) -> None:
    tsa.wrong = wrong
    with pytest.raises(TimestampInvalid) as caught:
        ask(root, tsa, policy=POLICY)
    assert caught.value.where == where
    assert caught.value.fault_class is FaultClass.REFUSED


@pytest.mark.parametrize("minutes", [-6, 6])
def test_clocks_that_differ_are_refused(minutes: int, root: Authority, tsa: Tsa) -> None:
    tsa.at = datetime.now(UTC) + timedelta(minutes=minutes)
    with pytest.raises(TimestampInvalid, match="genTime"):
        ask(root, tsa)
    tsa.at = datetime.now(UTC) + timedelta(minutes=minutes * 0.8)
    assert ask(root, tsa).at == tsa.at.replace(microsecond=0)


@pytest.mark.parametrize(
    ("usages", "critical"),
    [
        ([], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], False),
        ([ExtendedKeyUsageOID.CODE_SIGNING], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING], True),
    ],
)
def test_certificate_must_be_for_time_stamps_alone(
    usages: list[object], critical: bool, root: Authority, issuing: Authority, tsa: Tsa
) -> None:
    tsa.certificate = tsa_certificate(
        issuing,
        tsa.private_key.public_key(),
        usages=usages,  # type: ignore[arg-type]
        critical=critical,
    )
    with pytest.raises(TimestampInvalid, match="not for time stamps"):
        ask(root, tsa)


def test_authority_must_be_trusted_and_current(root: Authority, issuing: Authority, tsa: Tsa) -> None:
    with pytest.raises(TimestampInvalid, match="no valid chain"):
        ask(Authority.root("Lạ"), tsa)
    ended = datetime.now(UTC) - timedelta(days=1)
    tsa.certificate = tsa_certificate(issuing, tsa.private_key.public_key(), end=ended)
    with pytest.raises(TimestampInvalid, match="valid"):
        ask(root, tsa)


@pytest.mark.parametrize("wrong", ["unreachable", "silent", "busy", "long", "refusal", "nonce", "page"])
def test_the_next_authority_is_asked(wrong: str, root: Authority, issuing: Authority, tsa: Tsa) -> None:
    second = Tsa.of(issuing)
    tsa.wrong = wrong
    assert ask(root, tsa, second).certificate == second.certificate
    assert (tsa.asked, second.asked) == (1, 1)


@pytest.mark.parametrize("wrong", ["unreachable", "silent", "busy", "long", "refusal"])
def test_no_answer_is_transient(wrong: str, root: Authority, issuing: Authority, tsa: Tsa) -> None:
    tsa.wrong = wrong
    with pytest.raises(TimestampUnavailable) as caught:
        ask(root, tsa)
    assert caught.value.fault_class is FaultClass.TRANSIENT
    liar = Tsa.of(issuing)
    liar.wrong = "nonce"
    with pytest.raises(TimestampUnavailable):  # the first may come back
        ask(root, tsa, liar)
    with pytest.raises(TimestampUnavailable, match="none configured"):
        ask(root)


def test_authority_that_is_away_rests_and_comes_back(root: Authority, issuing: Authority, tsa: Tsa) -> None:
    clock = [1000.0]
    second = Tsa.of(issuing)
    client = client_of(root, 2, rest_s=60.0, monotonic=lambda: clock[0])
    tsa.wrong = "busy"
    for _ in range(3):
        ask(root, tsa, second, client=client)
    assert (tsa.asked, second.asked) == (1, 3)
    second.wrong = "busy"
    with pytest.raises(TimestampUnavailable):
        ask(root, tsa, second, client=client)
    assert (tsa.asked, second.asked) == (2, 4)
    tsa.wrong = ""
    clock[0] += 61.0
    assert ask(root, tsa, second, client=client).certificate == tsa.certificate
    assert (tsa.asked, second.asked) == (3, 4)


def test_answer_that_trickles_is_given_up(root: Authority, tsa: Tsa) -> None:
    clock = [0.0]

    def trickle(request: httpx.Request) -> httpx.Response:
        whole = tsa.handle(request).content

        def parts() -> object:
            for byte in whole:
                clock[0] += 1.0
                yield bytes([byte])

        return httpx.Response(200, content=parts())  # type: ignore[arg-type]

    client = client_of(root, 1, timeout_s=10.0, monotonic=lambda: clock[0])
    with httpx.Client(transport=httpx.MockTransport(trickle)) as http, pytest.raises(TimestampUnavailable):
        client.stamp(DATA, http)
    assert clock[0] == 11.0


@pytest.mark.parametrize(("broken", "asked"), [(1, 2), (2, 2)])
def test_a_connection_closed_while_idle_costs_nothing(broken: int, asked: int, root: Authority, tsa: Tsa) -> None:
    calls = 0

    def handle(request: httpx.Request) -> httpx.Response:
        nonlocal calls
        calls += 1
        if calls <= broken:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
        return tsa.handle(request)

    with httpx.Client(transport=httpx.MockTransport(handle)) as http:
        if broken == 1:
            assert client_of(root, 1).stamp(DATA, http).serial == 4711
        else:
            with pytest.raises(TimestampUnavailable, match="RemoteProtocolError"):
                client_of(root, 1).stamp(DATA, http)
    assert calls == asked


def test_tasks_take_turns(root: Authority, tsa: Tsa) -> None:
    now = most = 0

    async def handle(request: httpx.Request) -> httpx.Response:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        return tsa.handle(request)

    async def run() -> list[Token]:
        client = client_of(root, 1, in_flight=3)
        async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
            return await asyncio.gather(*(client.stamp_async(DATA, http) for _ in range(12)))

    tokens = asyncio.run(run())
    assert len({token.nonce for token in tokens}) == 12
    assert most == 3


@pytest.mark.parametrize("wrong", ["busy", "nonce"])
def test_async_client_fails_over_too(wrong: str, root: Authority, issuing: Authority, tsa: Tsa) -> None:
    second = Tsa.of(issuing)
    by_host = {"tsa0": tsa, "tsa1": second}
    tsa.wrong = wrong

    async def run() -> Token:
        async with httpx.AsyncClient(transport=httpx.MockTransport(lambda r: by_host[r.url.host].handle(r))) as http:
            return await client_of(root, 2).stamp_async(DATA, http)

    assert asyncio.run(run()).certificate == second.certificate


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a bit of a certificate changed
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_changed_token_is_not_believed(position: int, bit: int, root: Authority, honest: Token) -> None:
    der = bytearray(honest.der)
    der[position % len(der)] ^= 1 << bit
    try:
        token = timestamp_token.read(bytes(der))
        timestamp_token.require_imprint(token, DATA)
        timestamp_token.require_authority(token, [root.certificate])
    except TimestampInvalid:
        return
    same = (token.at, token.serial, token.policy, token.imprint) == (
        honest.at,
        honest.serial,
        honest.policy,
        honest.imprint,
    )
    assert same  # bits that nobody signed: the certificates beside, the outer versions


@pytest.fixture(scope="module")
def honest(root: Authority, issuing: Authority) -> Token:
    return Tsa.of(issuing).token(DATA)


@pytest.mark.parametrize("junk", [b"", b"\x30\x00", b"\x30\x80", b"text", b"\x05\x00", b"\x30\x03\x02\x01\x00"])
def test_junk_is_invalid(junk: bytes) -> None:
    for token in (junk, junk * 300_000):
        with pytest.raises(TimestampInvalid):
            timestamp_token.read(token)
    with pytest.raises(TimestampInvalid):
        timestamp_token.read_response(junk)
