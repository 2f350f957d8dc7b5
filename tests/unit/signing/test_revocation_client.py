"""Issuers are asked once while an answer is fresh, answers that are no use are not kept, and silence is not "good"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography.x509 import ocsp

from signing import faults, revocation
from signing.evidence import Evidence
from signing.revocation_client import RevocationClient
from signing.validation import Trust, validate
from tests.unit.signing.forge import CRL, LONG, NOW, OCSP, SIGNED, World, crl, issue, ocsp_response

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@dataclass
class Issuers:
    """The addresses that certificates name; each knob is what one of them answers."""

    world: World
    now: datetime = NOW
    asked: list[str] = field(default_factory=list)
    ocsp: Callable[[bytes | None], bytes | int | Exception] = lambda _: 404
    crl: Callable[[], bytes | int | Exception] = lambda: 404

    def client(self) -> RevocationClient:
        return RevocationClient(httpx.Client(transport=httpx.MockTransport(self._answer)), lambda: self.now)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        address = str(request.url)
        self.asked.append(address)
        if address == OCSP:
            extensions = ocsp.load_der_ocsp_request(request.content).extensions
            nonce = next((one.value.nonce for one in extensions if hasattr(one.value, "nonce")), None)
            said = self.ocsp(nonce)
        else:
            said = self.crl()
        if isinstance(said, Exception):
            raise said
        return httpx.Response(said) if isinstance(said, int) else httpx.Response(200, content=said)


def fresh(world: World, **more: Any) -> Callable[[bytes | None], bytes]:
    arguments = {"by": world.responder, "at": NOW - HOUR, "until": NOW + HOUR, **more}
    return lambda nonce: ocsp_response(world.person, world.ca, **{"nonce": nonce, **arguments})


def pair(world: World) -> list[Any]:
    return [world.person.certificate, world.ca.certificate]


def test_ocsp_is_asked_first_and_kept_until_the_next_update(world: World) -> None:
    issuers = Issuers(world, ocsp=fresh(world))
    client = issuers.client()
    first = client.collect(pair(world))
    assert len(first.ocsp_responses) == 1
    assert client.collect(pair(world)) == first
    assert issuers.asked == [OCSP]
    issuers.now += HOUR + timedelta(seconds=1)
    issuers.ocsp = fresh(world, at=issuers.now, until=issuers.now + HOUR)
    assert client.collect(pair(world)) != first
    assert issuers.asked == [OCSP, OCSP]


def test_an_answer_without_nonce_is_taken_and_one_with_another_is_not(world: World) -> None:
    assert Issuers(world, ocsp=fresh(world, nonce=None)).client().collect(pair(world)).ocsp_responses
    client = Issuers(world, ocsp=fresh(world, nonce=b"0123456789abcdef")).client()
    assert client.collect(pair(world)) == Evidence()
    problem = client.failure(world.person.certificate)
    assert problem is not None


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"at": NOW - 9 * HOUR, "until": NOW - 8 * HOUR}, faults.RevocationStale),
        ({"at": NOW + HOUR, "until": NOW + 2 * HOUR}, faults.RevocationStale),
        ({"nonce": b"0123456789abcdef"}, faults.RevocationMismatch),
        ({"status": ocsp.OCSPCertStatus.UNKNOWN}, faults.RevocationUnknown),
    ],
)
def test_the_reason_reaches_the_verdict(
    said: dict[str, Any], reason: type[faults.RevocationUnknown], world: World
) -> None:
    client = Issuers(world, ocsp=fresh(world, **said)).client()
    known = Evidence(crls=(crl(world.root),))
    told = validate(world.stamped().encode(), Trust([world.root.certificate], evidence=known, ask=client), NOW)
    assert (told.verdict, {one.code for one in told.reasons}) == ("undecided", {reason.code})


@pytest.mark.parametrize(
    "said", [503, b"", b"\x30\x00", httpx.ConnectTimeout("x"), httpx.ReadError("x"), b"0" * 300_000]
)
def test_a_list_is_fetched_when_ocsp_gives_nothing(said: bytes | int | Exception, world: World) -> None:
    newer = crl(world.ca, at=NOW - HOUR, until=NOW + HOUR)
    issuers = Issuers(world, ocsp=lambda _: said, crl=lambda: newer)
    assert issuers.client().collect(pair(world)) == Evidence(crls=(newer,))
    assert issuers.asked == [OCSP, CRL]


def test_a_silent_address_is_left_alone_for_a_while(world: World) -> None:
    issuers = Issuers(world)
    client = issuers.client()
    for _ in range(3):
        assert client.collect(pair(world)) == Evidence()
    assert issuers.asked == [OCSP, CRL]
    issuers.now += HOUR
    client.collect(pair(world))
    assert len(issuers.asked) == 4


def test_one_list_serves_every_certificate_of_its_issuer(world: World) -> None:
    newer = crl(world.ca, at=NOW - HOUR, until=NOW + HOUR)
    issuers = Issuers(world, crl=lambda: newer)
    client = issuers.client()
    client.collect(pair(world))
    assert client.collect([world.other.certificate, world.ca.certificate]) == Evidence(crls=(newer,))
    assert issuers.asked.count(CRL) == 1


def test_redirects_are_not_followed(world: World) -> None:
    issuers = Issuers(world, ocsp=lambda _: 302)
    issuers.client().collect(pair(world))
    assert issuers.asked == [OCSP, CRL]


def test_nobody_is_asked_when_the_file_says_enough(world: World) -> None:
    issuers = Issuers(world)
    trust = Trust([world.root.certificate], evidence=world.good(), ask=issuers.client())
    assert validate(world.stamped().encode(), trust, NOW).verdict == "valid"
    assert issuers.asked == []


def test_nobody_is_asked_about_a_stranger(world: World) -> None:
    """Addresses in a certificate that nobody trusts are the attacker's."""
    issuers = Issuers(world)
    trust = Trust([issue(None, "Gốc khác", 99, ca=True, **LONG).certificate], ask=issuers.client())
    assert validate(world.plain().encode(), trust, NOW).verdict == "invalid"
    assert issuers.asked == []


def test_without_a_time_stamp_what_is_known_now_counts(world: World) -> None:
    """Material of the day of signing said "good"; the issuer has said since that the key was lost before."""
    revoked = fresh(world, revoked=SIGNED - HOUR)
    trust = Trust([world.root.certificate], evidence=world.good(), ask=Issuers(world, ocsp=revoked).client())
    data = f"<r><a>x</a>{world.basic().text()}</r>".encode()
    told = validate(data, trust, NOW)
    assert [one.code for one in told.reasons] == [faults.CertificateRevoked.code]


def test_addresses_are_read(world: World) -> None:
    assert revocation.ocsp_addresses(world.person.certificate) == (OCSP,)
    assert revocation.crl_addresses(world.person.certificate) == (CRL,)
    assert not revocation.names_a_service(world.root.certificate)
