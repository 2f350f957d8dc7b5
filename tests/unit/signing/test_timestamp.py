"""A time stamp is asked for and believed only when everything about it is as asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from asn1crypto import tsp
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mappings.formats.faults import FaultClass
from signing import timestamp_token
from signing.der import element
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


class Posting:
    """What `stamp_async` asks by, without a network."""

    def __init__(self, handle: Callable[[httpx.Request], Awaitable[httpx.Response]]) -> None:
        self._handle = handle

    async def post(self, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float) -> tuple[int, bytes]:
        answer = await self._handle(httpx.Request("POST", url, headers=headers, content=body))
        return answer.status_code, answer.content


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
        return await asyncio.gather(*(client.stamp_async(DATA, Posting(handle)) for _ in range(12)))

    tokens = asyncio.run(run())
    assert len({token.nonce for token in tokens}) == 12
    assert most == 3


@pytest.mark.parametrize("wrong", ["busy", "nonce"])
def test_async_client_fails_over_too(wrong: str, root: Authority, issuing: Authority, tsa: Tsa) -> None:
    second = Tsa.of(issuing)
    by_host = {"tsa0": tsa, "tsa1": second}
    tsa.wrong = wrong

    async def run() -> Token:
        async def handle(request: httpx.Request) -> httpx.Response:
            return by_host[request.url.host].handle(request)

        return await client_of(root, 2).stamp_async(DATA, Posting(handle))

    assert asyncio.run(run()).certificate == second.certificate


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # a bit of a certificate changed
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
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


def indefinite(der: bytes, depth: int) -> bytes:
    """Write the outer `depth` levels as BER may: lengths left open, octet strings in pieces."""
    one = element(der)
    if one.tag == 0x04 and len(one.content) > 1:
        middle = len(one.content) // 2
        pieces = (bytes((0x04, len(half))) + half for half in (one.content[:middle], one.content[middle:]))
        return b"\x24\x80" + b"".join(pieces) + b"\0\0"
    if not one.tag & 0x20 or not depth:
        return der
    return bytes((one.tag, 0x80)) + b"".join(indefinite(inner.whole, depth - 1) for inner in one) + b"\0\0"


@pytest.mark.parametrize("depth", range(5))
def test_tokens_whose_lengths_are_left_open(depth: int, root: Authority, honest: Token) -> None:
    """Bouncy Castle and others write CMS so; certificates stay DER."""
    held = indefinite(honest.der, depth)
    assert (held == honest.der) == (depth == 0)
    token = timestamp_token.read(held)
    assert replace(token, der=honest.der) == honest
    timestamp_token.require_authority(token, [root.certificate])
    assert timestamp_token.names(held, DATA)


def test_signed_attributes_of_open_length_are_hashed_as_der(honest: Token) -> None:
    data = next(iter(list(element(honest.der))[1]))
    *others, signers = data
    (info,) = signers
    parts = [one.whole for one in info]
    parts[3] = b"\xa0\x80" + list(info)[3].content + b"\0\0"
    inner = b"\x30\x80" + b"".join(parts) + b"\0\0"
    held = b"\x30\x80" + b"".join(one.whole for one in others) + b"\x31\x80" + inner + b"\0\0" * 2
    form = next(iter(element(honest.der))).whole
    assert timestamp_token.read(b"\x30\x80" + form + b"\xa0\x80" + held + b"\0\0" * 2).at == honest.at


@pytest.mark.parametrize(
    "held",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x85\0\0\0\0\0",
        b"\x30\x80" * 5000,
        b"\x1f\x81\0",
        b"\x04\x80\0\0",
    ],
)
def test_bytes_that_are_no_token_are_told_at_once(held: bytes) -> None:
    with pytest.raises(TimestampInvalid):
        timestamp_token.read(held)
    with pytest.raises(TimestampInvalid):
        timestamp_token.read_response(held)
    assert not timestamp_token.names(held, DATA)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"accuracy": {"seconds": 1}, "ordering": True, "nonce": 2**63},
        {"gen_time": datetime(2026, 11, 26, 10, 0, 0, 123000, UTC)},
    ],
)
def test_what_the_library_reads_is_what_is_read_here(changed: dict[str, object]) -> None:
    imprint = {"hash_algorithm": {"algorithm": "sha384"}, "hashed_message": bytes(48)}
    info: dict[str, object] = {"version": "v1", "policy": POLICY, "message_imprint": imprint, "serial_number": 2**100}
    made = tsp.TSTInfo(info | {"gen_time": datetime(2026, 11, 26, 10, tzinfo=UTC)} | changed)
    said = timestamp_token._stamp(made.dump())
    assert said == {
        "at": made["gen_time"].native,
        "serial": 2**100,
        "policy": POLICY,
        "nonce": made["nonce"].native,
        "hash_name": "sha384",
        "imprint": bytes(48),
    }


@pytest.mark.parametrize("more", ["020101020102", "0101ff3003020101", "0c0141", "0201"])
def test_fields_of_a_stamp_in_another_order_or_twice_are_refused(more: str) -> None:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": bytes(32)}
    moment = datetime(2026, 11, 26, 10, tzinfo=UTC)
    info = {"version": "v1", "policy": POLICY, "message_imprint": imprint, "serial_number": 1, "gen_time": moment}
    plain = tsp.TSTInfo(info).dump()
    body = plain[2:] + bytes.fromhex(more)
    with pytest.raises(ValueError, match=r"order|cut off|not in"):
        timestamp_token._stamp(b"\x30" + bytes((len(body),)) + body)


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
