"""Issuers are asked once while an answer is fresh, answers that are no use are not kept, and silence is not "good"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.x509 import ocsp

from signing import faults, revocation
from signing.evidence import Evidence
from signing.revocation_client import RevocationClient
from signing.validation import Trust, validate
from tests.unit.signing.forge import CRL, LONG, NOW, OCSP, SIGNED, World, crl, issue, ocsp_response, point

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


# ---- lists of changes ----

CHANGES = "http://crl.example/delta.crl"
AGAIN = "http://crl.example/delta-2.crl"
HOLD = x509.ReasonFlags.certificate_hold


class Lists:
    """An issuer that tells by lists alone: a complete one every week, what changed in between every hour."""

    def __init__(self, world: World, *, in_list: bool = True, in_certificate: bool = False) -> None:
        more = [(x509.FreshestCRL([point(AGAIN)]), False)] if in_certificate else []
        self.world = world
        self.person = issue(world.ca, "Người ký", 5, more=more)
        self.now = NOW
        self.asked: list[str] = []
        self.answers: dict[str, bytes | int] = {}
        self.freshest = CHANGES if in_list else ""
        self.complete(1, NOW - 24 * HOUR)

    def complete(self, number: int, at: datetime, *revoked: Any) -> None:
        until = at + timedelta(days=7)
        self.answers[CRL] = crl(self.world.ca, revoked, at=at, until=until, number=number, freshest=self.freshest)

    def changed(
        self, number: int, at: datetime, *revoked: Any, base: int = 1, address: str = CHANGES, **more: Any
    ) -> None:
        self.answers[address] = crl(
            self.world.ca,
            revoked,
            at=at,
            until=at + HOUR,
            number=number,
            extension=x509.DeltaCRLIndicator(base),
            **more,
        )

    def client(self) -> RevocationClient:
        def answer(request: httpx.Request) -> httpx.Response:
            self.asked.append(str(request.url))
            said = self.answers.get(str(request.url), 404)
            return httpx.Response(said) if isinstance(said, int) else httpx.Response(200, content=said)

        http = httpx.Client(transport=httpx.MockTransport(answer))
        return RevocationClient(http, lambda: self.now, sources=("crl",))

    @property
    def pair(self) -> list[Any]:
        return [self.person.certificate, self.world.ca.certificate]

    def standing(self, found: Evidence) -> revocation.Standing:
        return revocation.standing(self.person.certificate, self.world.ca.certificate, found, self.now, self.now)


@pytest.mark.parametrize(("in_list", "in_certificate", "address"), [(True, False, CHANGES), (False, True, AGAIN)])
def test_a_list_of_changes_is_fetched_where_list_or_certificate_says(
    in_list: bool, in_certificate: bool, address: str, world: World
) -> None:
    lists = Lists(world, in_list=in_list, in_certificate=in_certificate)
    lists.changed(2, NOW - HOUR / 2, (lists.person, NOW - HOUR, None), address=address)
    client = lists.client()
    found = client.collect(lists.pair)
    assert lists.asked == [CRL, address]
    assert found.crls == (lists.answers[CRL], lists.answers[address])
    assert lists.standing(found).status == "revoked", "the complete list does not know it yet"
    assert lists.standing(Evidence(crls=found.crls[:1])).status == "good"
    assert client.collect(lists.pair) == found
    assert len(lists.asked) == 2, "both are remembered"


def test_a_list_of_changes_is_as_new_as_somebody_needs(world: World) -> None:
    """Whoever proves a signature wants the issuer's word from after it, and need not wait a week for it."""
    lists = Lists(world)
    lists.changed(2, NOW - HOUR / 2)
    client = lists.client()
    client.collect(lists.pair)
    lists.now += HOUR
    lists.changed(3, lists.now - HOUR / 4)
    found = client.collect(lists.pair, since=NOW)
    assert lists.asked == [CRL, CHANGES, CHANGES], "the complete list is not asked for again"
    known_at = lists.standing(found).known_at
    assert known_at is not None
    assert known_at > NOW


def test_a_hold_that_was_lifted_in_between(world: World) -> None:
    lists = Lists(world)
    lists.complete(1, NOW - 24 * HOUR, (lists.person, NOW - 48 * HOUR, HOLD))
    client = lists.client()
    assert lists.standing(client.collect(lists.pair)).status == "suspended"
    lists = Lists(world)
    lists.complete(1, NOW - 24 * HOUR, (lists.person, NOW - 48 * HOUR, HOLD))
    lists.changed(2, NOW - HOUR / 2, (lists.person, NOW - 48 * HOUR, x509.ReasonFlags.remove_from_crl))
    assert lists.standing(lists.client().collect(lists.pair)).status == "good"


def test_changes_of_another_list_do_not_serve(world: World) -> None:
    lists = Lists(world)
    lists.changed(9, NOW - HOUR / 2, base=8)
    found = lists.client().collect(lists.pair)
    assert found.crls == (lists.answers[CRL],)
    assert lists.standing(found).status == "good"


def test_remembered_changes_end_with_the_list_that_they_continue(world: World) -> None:
    lists = Lists(world)
    lists.changed(2, NOW - HOUR / 2)
    client = lists.client()
    client.collect(lists.pair)
    lists.now += timedelta(days=6, hours=1)
    lists.complete(20, lists.now - HOUR)
    lists.changed(21, lists.now - HOUR / 2, base=20)
    assert client.collect(lists.pair).crls == (lists.answers[CRL], lists.answers[CHANGES])


@pytest.mark.parametrize("spoiled", [b"", b"x" * 500, 404, 500])
def test_changes_that_are_not_to_be_had_leave_the_complete_list(spoiled: bytes | int, world: World) -> None:
    lists = Lists(world)
    lists.answers[CHANGES] = spoiled
    found = lists.client().collect(lists.pair)
    assert found.crls == (lists.answers[CRL],)
    assert lists.standing(found).status == "good"


def test_changes_that_are_stale_or_sealed_by_another_are_not_kept(world: World) -> None:
    for more in ({"at": NOW - 5 * HOUR}, {"at": NOW - HOUR / 2, "by": world.root}):
        lists = Lists(world)
        lists.changed(2, more.pop("at"), **more)  # type: ignore[arg-type]
        assert lists.client().collect(lists.pair).crls == (lists.answers[CRL],)


def test_a_newer_complete_list_in_the_place_of_changes_serves_as_well(world: World) -> None:
    lists = Lists(world)
    revoked = [(lists.person, NOW - HOUR, None)]
    lists.answers[CHANGES] = crl(world.ca, revoked, at=NOW - HOUR / 2, until=NOW + HOUR, number=2)
    assert lists.standing(lists.client().collect(lists.pair)).status == "revoked"
