"""The remote key against the sandbox's signing service, with every failure that it can play."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conformance.sandbox.faults import Action, Call
from conformance.sandbox.holders import KeyKind
from conformance.sandbox.remote_credentials import RemoteCredential
from conformance.sandbox.server import USER
from mappings.formats.faults import SigningFault
from mappings.formats.values import Secret
from signing.algorithms import ALGORITHMS
from signing.batch import State, sign_batch, unsigned
from signing.contract import ToSign
from signing.faults import (
    KeyLocked,
    KeyMisconfigured,
    KeyUnavailable,
    KeyUnsuitable,
    NotAuthorised,
    OneTimeCodeWrong,
    ServiceRefused,
)
from signing.keys import open_key, open_unattended
from signing.keys.remote import Ask, Key, Settings
from tests.integration.sandbox.peer import PASSWORD
from tests.remote_service import PIN, RemoteService, remote_service

Open = Callable[..., Key]


@pytest.fixture(scope="module")
def service() -> Iterator[RemoteService]:
    with remote_service() as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_fails(service: RemoteService) -> Iterator[None]:
    yield
    service.fail(None)


def opener(service: RemoteService, credential: RemoteCredential) -> Open:
    """Open keys; the code that the service sends is read where the telephone would be."""

    def telephone(_: str) -> str:
        return credential.one_time_code

    def open_key(ask: Ask = telephone, **more: Any) -> Key:
        return Key(Settings(**{**service.options(credential), **more}), ask)

    return open_key


def papers(algorithm: str, count: int) -> dict[str, ToSign]:
    return {f"d{n}": ToSign(ALGORITHMS[algorithm].digest(b"d%d" % n)) for n in range(count)}


@pytest.mark.parametrize("kind", ["rsa2048", "rsa3072", "ec256", "ec384"])
def test_every_algorithm_of_the_service(kind: KeyKind, service: RemoteService) -> None:
    credential = service.add(kind)
    open_key = opener(service, credential)
    key = open_key()
    assert key.chain[0] == credential.held.certificate
    assert len(key.chain) > 1
    public = credential.held.key.public_key()
    for name in key.algorithms:
        assert ALGORITHMS[name].holds(public, key.sign(b"data", name), b"data"), name


def test_a_password_logs_in_and_a_wrong_one_does_not(service: RemoteService) -> None:
    credential = service.add()
    open_key = opener(service, credential)
    assert open_key(client_id="", user=USER, password=Secret(PASSWORD)).sign(b"data")
    for wrong in ({"client_id": "", "user": USER, "password": Secret("x")}, {"client_secret": Secret("x")}):
        with pytest.raises(NotAuthorised):
            open_key(**wrong)


def test_three_hundred_papers_in_slices_and_a_service_that_starts_again(service: RemoteService) -> None:
    credential = service.add()
    open_key = opener(service, credential)
    key, batch, results = open_key(), papers("RS256", 300), []
    for result in sign_batch(batch, key):
        results.append(result)
        if len(results) == 120:
            service.sandbox.credentials.forget_all()
            service.fail(Action.REFUSE, "expired_token", first=1, last=1)
    assert {result.state for result in results} == {State.SIGNED}
    public = credential.held.key.public_key()
    for result in results:
        assert ALGORITHMS["RS256"].holds(public, result.signature, result.name.encode())


def test_a_batch_goes_on_after_the_service_was_down(service: RemoteService) -> None:
    credential = service.add("ec256", multisign=4)
    open_key = opener(service, credential)
    key, batch, results = open_key(), papers("ES256", 10), []
    for result in sign_batch(batch, key):
        results.append(result)
        if len(results) == 4:
            service.fail(Action.DOWN)
    assert [result.state for result in results] == [State.SIGNED] * 4 + [State.FAILED] + [State.NOT_REACHED] * 5
    assert isinstance(results[4].fault, KeyUnavailable)
    service.fail(None)
    rest = list(sign_batch(unsigned(batch, results), key))
    assert [(result.name, result.state) for result in rest] == [(f"d{n}", State.SIGNED) for n in range(4, 10)]


@pytest.mark.parametrize(
    ("action", "code", "wanted"),
    [
        (Action.REFUSE, "invalid_otp", OneTimeCodeWrong),
        (Action.REFUSE, "invalid_authentication_data", OneTimeCodeWrong),
        (Action.REFUSE, "credential_locked", KeyLocked),
        (Action.REFUSE, "credential_disabled", ServiceRefused),
        (Action.REFUSE, "certificate_expired", ServiceRefused),
        (Action.REFUSE, "too_many_signatures", ServiceRefused),
        (Action.REFUSE, "hash_not_authorized", ServiceRefused),
        (Action.REFUSE, "invalid_sad", ServiceRefused),
        (Action.REFUSE, "expired_token", NotAuthorised),
        (Action.REFUSE, "server_error", KeyUnavailable),
        (Action.REFUSE, "temporarily_unavailable", KeyUnavailable),
        (Action.DISTORT, "partial_batch", ServiceRefused),
        (Action.DISTORT, "swapped", KeyUnsuitable),
        (Action.DISTORT, "wrong_key", KeyUnsuitable),
        (Action.DISTORT, "bad_signature", KeyUnsuitable),
        (Action.DOWN, None, KeyUnavailable),
        (Action.THROTTLE, None, KeyUnavailable),
        (Action.HTTP_500, None, KeyUnavailable),
        (Action.LOSE_ANSWER, None, KeyUnavailable),
        (Action.BAD_ANSWER, None, ServiceRefused),
    ],
)
def test_a_failure_is_told_as_what_it_is(
    action: Action, code: str | None, wanted: type[SigningFault], service: RemoteService
) -> None:
    credential = service.add()
    open_key = opener(service, credential)
    key = open_key()
    if wanted in (OneTimeCodeWrong, KeyLocked):
        service.fail(action, code, call=Call.AUTHORIZE, first=2)  # the first is the question for a code
    else:
        service.fail(action, code)
    with pytest.raises(SigningFault) as caught:
        list(key.sign_hashes(list(papers("RS256", 4).values())))
    assert type(caught.value) is wanted
    service.fail(None)
    assert key.sign(b"data")


def test_a_wrong_code_and_then_a_right_one(service: RemoteService) -> None:
    credential = service.add()
    open_key = opener(service, credential)
    said = iter(["000000x"])
    key = open_key(lambda _: next(said, credential.one_time_code))
    with pytest.raises(OneTimeCodeWrong):
        key.sign(b"data")
    assert key.sign(b"data")


def test_a_wrong_pin_of_a_seal_is_sent_once(service: RemoteService) -> None:
    credential = service.add(code=False)
    open_key = opener(service, credential)
    key = open_key(pin=Secret("00000000"))
    for _ in range(5):
        with pytest.raises(NotAuthorised):
            key.sign(b"data")
    assert credential.wrong_tries == 1


def test_a_pin_nobody_configured_is_asked_for(service: RemoteService) -> None:
    open_key = opener(service, service.add(code=False))
    assert open_key({"PIN": str(PIN)}.__getitem__, pin=Secret("")).sign(b"1")
    with pytest.raises(NotAuthorised, match="none given"):
        open_key(lambda _: "", pin=Secret("")).sign(b"1")


def test_one_authorisation_is_asked_for_each_slice(service: RemoteService) -> None:
    credential = service.add(multisign=4)
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        return credential.one_time_code

    assert len(list(opener(service, credential)(ask).sign_hashes(list(papers("RS256", 10).values())))) == 10
    assert asked == ["OTP"] * 3


def test_a_suspended_credential_is_unsuitable(service: RemoteService) -> None:
    credential = service.add()
    service.sandbox.authority.suspend(credential.held.certificate.serial_number)
    with pytest.raises(KeyUnsuitable):
        opener(service, credential)()


@pytest.mark.parametrize("call", [Call.LOGIN, Call.FIND, Call.AUTHORIZE, Call.SUBMIT])
def test_a_busy_service_is_transient_wherever_it_is_busy(call: Call, service: RemoteService) -> None:
    open_key = opener(service, service.add())
    service.fail(Action.UNAVAILABLE, call=call)
    with pytest.raises(KeyUnavailable):
        open_key().sign(b"data")
    service.fail(None)
    assert open_key().sign(b"data")


def test_a_key_for_nobody_is_proved_with_one_try(service: RemoteService) -> None:
    credential = service.add(code=False)
    options = service.options(credential)
    assert open_unattended("remote", options).sign(b"data")
    with pytest.raises(NotAuthorised):
        open_unattended("remote", options | {"pin": Secret("00000000")})
    assert credential.wrong_tries == 1
    with pytest.raises(KeyMisconfigured, match="pin"):
        open_unattended("remote", options | {"pin": Secret("")})
    assert credential.wrong_tries == 1
    with service.away(), pytest.raises(KeyUnavailable):
        open_unattended("remote", options)


def test_a_credential_that_sends_a_code_is_not_for_nobody(service: RemoteService) -> None:
    credential = service.add()
    with pytest.raises(KeyMisconfigured, match="one-time code"):
        open_unattended("remote", service.options(credential))
    assert credential.one_time_code == "", "nobody is sent a code"


def test_whoever_opens_it_may_be_asked_for_pin_and_code(service: RemoteService) -> None:
    credential, asked = service.add(), []

    def person(wanted: str) -> str:
        asked.append(wanted)
        return str(PIN) if wanted == "PIN" else credential.one_time_code

    options = service.options(credential) | {"pin": Secret("")}
    assert open_key("remote", options, person).sign(b"data")
    assert asked == ["PIN", "OTP"]
