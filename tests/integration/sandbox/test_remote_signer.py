"""The remote signer by the JSON of the standard, with OpenSSL on its signatures and pyHanko's client on its interface."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
from asn1crypto import algos
from cryptography import x509
from pyhanko.sign.signers.csc_signer import (
    CSCAuthorizationInfo,
    CSCAuthorizationManager,
    CSCServiceSessionInfo,
    CSCSigner,
    fetch_certs_in_csc_credential,
)

from conformance.sandbox.faults import Action, Call, Rule
from conformance.sandbox.holders import DEMO_HOLDERS, KeyKind
from conformance.sandbox.remote_credentials import RemoteCredential, Terms
from conformance.sandbox.server import USER
from tests.integration.sandbox.peer import PASSWORD, Clock
from tests.integration.sandbox.trust import Bench, play

PIN = "24682468"
SHA256, SHA384, SHA512 = (f"2.16.840.1.101.3.4.2.{n}" for n in (1, 2, 3))
RSA, PSS, ECDSA_SHA256 = "1.2.840.113549.1.1.1", "1.2.840.113549.1.1.10", "1.2.840.10045.4.3.2"
TEXTS = [f"Giấy ra viện {n}".encode() for n in range(4)]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def digests(texts: Sequence[bytes] = TEXTS, name: str = "sha256") -> list[str]:
    return [b64(hashlib.new(name, text).digest()) for text in texts]


class Client:
    """The calls of the standard in a few lines."""

    def __init__(self, bench: Bench, credential: RemoteCredential) -> None:
        self.bench = bench
        self.credential = credential
        self.headers: dict[str, str] = {}

    async def post(self, method: str, body: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
        url = f"{self.bench.sandbox.csc_url}/csc/v2/{method}"
        return await self.bench.http.post(url, json=body or {}, **{"headers": self.headers, **more})

    async def login(self) -> dict[str, Any]:
        form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": PASSWORD}
        got = await self.bench.http.post(f"{self.bench.sandbox.csc_url}/oauth2/token", data=form)
        assert got.status_code == 200
        token: dict[str, Any] = got.json()
        self.headers = {"Authorization": f"Bearer {token['access_token']}"}
        return token

    async def code(self) -> str:
        """Have a code sent and read it where the telephone would."""
        sent = await self.post("credentials/getChallenge", {**self.mine(), "authObjectID": "OTP"})
        assert (sent.status_code, sent.content) == (204, b"")
        code: str = (await self.bench.admin(f"csc/credentials/{self.credential.identifier}")).json()["otp"]
        return code

    def mine(self) -> dict[str, Any]:
        return {"credentialID": self.credential.identifier}

    async def authorize(self, hashes: list[str] | None = None, **changes: Any) -> httpx.Response:
        data = [{"id": "PIN", "value": PIN}]
        if self.credential.terms.one_time_code and "authData" not in changes:
            data.append({"id": "OTP", "value": await self.code()})
        body = {**self.mine(), "numSignatures": len(hashes or TEXTS), "authData": data}
        if hashes is not None:
            body |= {"hashes": hashes, "hashAlgorithmOID": SHA256}
        return await self.post("credentials/authorize", body | changes)

    async def sad(self, hashes: list[str] | None = None, **changes: Any) -> str:
        got = await self.authorize(hashes, **changes)
        assert got.status_code == 200, got.text
        sad: str = got.json()["SAD"]
        return sad

    async def sign(self, sad: str, hashes: list[str], **changes: Any) -> httpx.Response:
        body = {**self.mine(), "SAD": sad, "hashes": hashes, "hashAlgorithmOID": SHA256, "signAlgo": RSA}
        return await self.post("signatures/signHash", body | changes)


async def client(
    bench: Bench, key: KeyKind = "rsa2048", *, code: bool = True, scal: str = "2", multisign: int = 50
) -> Client:
    terms = Terms("CCCD:1", PIN, one_time_code=code, scal=scal, multisign=multisign)  # type: ignore[arg-type]  # "1" or "2"
    made = Client(bench, bench.sandbox.credentials.add(DEMO_HOLDERS["doctor"], terms, key=key))
    await made.login()
    return made


def error(got: httpx.Response) -> tuple[int, str, str]:
    body = got.json()
    return got.status_code, body["error"], body["error_description"]


async def verified(bench: Bench, credential: RemoteCredential, signature: str, text: bytes, *options: str) -> bool:
    _, said = await bench.openssl("x509", "-in", bench.file("c.pem", credential.held), "-noout", "-pubkey")
    key, seal = bench.file("key.pem", said.encode()), bench.file("seal", base64.b64decode(signature))
    code, _ = await bench.openssl("dgst", *options, "-verify", key, "-signature", seal, bench.file("text", text))
    return code == 0


def pss_params(name: str, salt: int) -> str:
    params = {
        "hash_algorithm": {"algorithm": name},
        "mask_gen_algorithm": {"algorithm": "mgf1", "parameters": {"algorithm": name}},
        "salt_length": salt,
    }
    return b64(algos.RSASSAPSSParams(params).dump())


@pytest.mark.parametrize(
    ("key", "name", "asked", "options"),
    [
        ("rsa2048", "sha256", {"signAlgo": RSA}, ()),
        ("rsa2048", "sha384", {"signAlgo": RSA, "hashAlgorithmOID": SHA384}, ()),
        ("rsa3072", "sha512", {"signAlgo": "1.2.840.113549.1.1.13"}, ()),
        (
            "rsa2048",
            "sha256",
            {"signAlgo": PSS, "signAlgoParams": pss_params("sha256", 32)},
            ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"),
        ),
        ("ec256", "sha256", {"signAlgo": ECDSA_SHA256}, ()),
        ("ec384", "sha384", {"signAlgo": "1.2.840.10045.4.3.3"}, ()),
    ],
)
def test_openssl_verifies_a_batch_by_each_algorithm(
    tmp_path: Path, key: KeyKind, name: str, asked: dict[str, str], options: tuple[str, ...]
) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench, key)
        hashes = digests(name=name)
        oid = {"sha256": SHA256, "sha384": SHA384, "sha512": SHA512}[name]
        sad = await one.sad(hashes, hashAlgorithmOID=oid)
        got = await one.sign(sad, hashes, **asked)
        assert got.status_code == 200, got.text
        signatures = got.json()["signatures"]
        for signature, text in zip(signatures, TEXTS, strict=True):
            assert await verified(bench, one.credential, signature, text, f"-{name}", *options)
        assert not await verified(bench, one.credential, signatures[0], TEXTS[1], f"-{name}", *options)

    play(scene, tmp_path)


def test_info_lists_and_describes_as_the_standard_shows(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        about = (await one.post("info", headers={})).json()
        assert (about["specs"], about["region"], about["authType"]) == ("2.0.0.0", "VN", ["basic", "oauth2client"])
        assert about["oauth2"] == bench.sandbox.csc_url + "/"
        assert {"credentials/sendOTP", "credentials/getChallenge", "signatures/signHash"} <= set(about["methods"])
        assert {RSA, PSS, ECDSA_SHA256} <= set(about["signAlgorithms"]["algos"])
        assert (await bench.http.get(about["logo"])).content.startswith(b"\x89PNG")
        wanted = {"certificates": "chain", "certInfo": True, "authInfo": True}
        listed = (await one.post("credentials/list", {"userID": "CCCD:1", "credentialInfo": True, **wanted})).json()
        assert listed["credentialIDs"] == [one.credential.identifier]
        found = (await one.post("credentials/info", {**one.mine(), **wanted})).json()
        assert listed["credentialInfos"] == [{**one.mine(), **found}]
        assert (found["SCAL"], found["multisign"]) == ("2", 50)
        assert (found["key"]["status"], found["key"]["len"]) == ("enabled", 2048)
        assert (found["auth"]["mode"], found["auth"]["expression"]) == ("explicit", "PIN AND OTP")
        assert [(each["type"], each["id"]) for each in found["auth"]["objects"]] == [
            ("Password", "PIN"),
            ("ChallengeResponse", "OTP"),
        ]
        chain = [x509.load_der_x509_certificate(base64.b64decode(each)) for each in found["cert"]["certificates"]]
        assert chain[0] == one.credential.held.certificate
        chain[0].verify_directly_issued_by(chain[1])
        assert chain[2] == bench.sandbox.ca.certificate
        assert found["cert"]["status"] == "valid"
        assert found["cert"]["validTo"] == f"{chain[0].not_valid_after_utc:%Y%m%d%H%M%SZ}"
        bare = (await one.post("credentials/info", {**one.mine(), "certificates": "none"})).json()
        assert (bare["cert"], bare["auth"]) == ({"status": "valid"}, {"mode": "explicit"})
        elliptic = await client(bench, "ec256")
        assert (await elliptic.post("credentials/info", elliptic.mine())).json()["key"][
            "curve"
        ] == "1.2.840.10045.3.1.7"
        assert (await one.post("credentials/list", {"userID": "somebody else"})).json()["credentialIDs"] == []

    play(scene, tmp_path)


def test_log_in_by_basic_refresh_and_revoke(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        basic = {"Authorization": "Basic " + b64(f"{USER}:{PASSWORD}".encode())}
        first = (await one.post("auth/login", {"rememberMe": True}, headers=basic)).json()
        assert first["expires_in"] == 600
        one.headers = {"Authorization": f"Bearer {first['access_token']}"}
        assert (await one.post("credentials/list")).json()["credentialIDs"] == [one.credential.identifier]
        assert error(await one.post("credentials/list", {"userID": "CCCD:1"}))[2] == "userID parameter MUST be null"
        again = (await one.post("auth/login", {"refresh_token": first["refresh_token"]}, headers={})).json()
        assert again["access_token"] != first["access_token"]
        revoked = await one.post("auth/revoke", {"token": first["refresh_token"]})
        assert revoked.status_code == 204
        assert error(await one.post("credentials/list"))[:2] == (401, "expired_token")
        refreshed = await one.post("auth/login", {"refresh_token": first["refresh_token"]}, headers={})
        assert error(refreshed) == (400, "invalid_request", "Invalid refresh_token")
        for header, wrong in (
            ({}, (401, "invalid_request", "Malformed authentication parameter")),
            ({"Authorization": "Basic " + b64(b"nobody")}, (400, "invalid_request", "Malformed username-password")),
            (
                {"Authorization": "Basic " + b64(b"a:b")},
                (400, "authentication_error", "An error occurred during authentication process"),
            ),
        ):
            assert error(await one.post("auth/login", headers=header)) == wrong
        assert error(await one.post("credentials/list", headers={}))[:2] == (400, "invalid_request")
        assert error(await one.post("credentials/list", headers={"Authorization": "Bearer x"}))[:2] == (
            401,
            "invalid_token",
        )

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"client_id": ""}, "Missing parameter client_id"),
        ({"grant_type": ""}, "Missing parameter grant_type"),
        ({"grant_type": "authorization_code"}, "Invalid parameter grant_type"),
        ({"client_secret": ""}, "Client authorization required"),
        ({"client_secret": "x"}, "Invalid parameter client_secret"),
        ({"scope": "credential"}, "Only the scope service"),
    ],
)
def test_a_token_is_refused_with_the_text_of_the_standard(tmp_path: Path, changes: dict[str, str], wrong: str) -> None:
    async def scene(bench: Bench) -> None:
        form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": PASSWORD, **changes}
        got = await bench.http.post(f"{bench.sandbox.csc_url}/oauth2/token", data=form)
        assert (got.status_code, got.json()["error_description"]) == (400, wrong)

    play(scene, tmp_path)


def test_an_authorization_is_for_its_hashes_its_number_and_its_time(tmp_path: Path) -> None:
    clock = Clock()

    async def scene(bench: Bench) -> None:
        one = await client(bench)
        hashes = digests()
        sad = await one.sad(hashes)
        other = digests([b"other"])
        assert error(await one.sign(sad, other))[2] == "Hash is not authorized by the SAD"
        assert error(await one.sign(sad, [*hashes, hashes[0]]))[2] == "Numbers of signatures is too high"
        assert len((await one.sign(sad, hashes[:3])).json()["signatures"]) == 3
        assert error(await one.sign(sad, hashes[:2]))[2] == "Numbers of signatures is too high"
        extended = await one.post(
            "credentials/extendTransaction",
            {**one.mine(), "SAD": sad, "hashes": other, "hashAlgorithmOID": SHA256},
        )
        assert error(await one.sign(sad, hashes[3:]))[2] == "Invalid parameter SAD"
        fresh = extended.json()["SAD"]
        assert (await one.sign(fresh, other)).status_code == 200
        assert error(await one.sign(fresh, other))[2] == "Invalid parameter SAD"  # spent
        sad = await one.sad(hashes)
        clock.advance(301)
        assert error(await one.sign(sad, hashes)) == (400, "invalid_request", "SAD expired")
        clock.advance(300)
        assert error(await one.sign(sad, hashes))[:2] == (401, "expired_token")

    play(scene, tmp_path, clock=clock)


def test_a_seal_signs_by_pin_alone_and_any_hash(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench, code=False, scal="1", multisign=500)
        sad = await one.sad(numSignatures=2)
        for hashes in (digests([b"a"]), digests([b"b"])):
            assert (await one.sign(sad, hashes)).status_code == 200
        info = (await one.post("credentials/info", {**one.mine(), "authInfo": True})).json()
        assert (info["SCAL"], info["auth"]["expression"]) == ("1", "PIN")
        wrong = await one.post("credentials/getChallenge", {**one.mine(), "authObjectID": "OTP"})
        assert error(wrong)[2] == "Invalid parameter authObjectID"

    play(scene, tmp_path)


def test_wrong_codes_lock_and_the_admin_unlocks(tmp_path: Path) -> None:
    clock = Clock()

    async def scene(bench: Bench) -> None:
        one = await client(bench)
        hashes = digests()

        async def try_with(pin: str, code: str) -> tuple[int, str, str]:
            return error(
                await one.authorize(hashes, authData=[{"id": "PIN", "value": pin}, {"id": "OTP", "value": code}])
            )

        invalid = (400, "invalid_authentication_data", "The authentication data is invalid")
        assert await try_with("0000", await one.code()) == invalid
        code = await one.code()
        clock.advance(301)
        assert await try_with(PIN, code) == invalid  # five minutes are over
        await one.sad(hashes)  # a right one in between begins the count anew
        for wrong in ("x", "", "12345"):
            assert await try_with(PIN, wrong) == invalid
        assert await try_with(PIN, await one.code()) == (400, "invalid_request", "Credential locked")
        assert (await one.post("credentials/info", one.mine())).json()["key"]["status"] == "disabled"
        path = f"csc/credentials/{one.credential.identifier}"
        assert (await bench.admin(f"{path}/unlock", {})).json()["locked"] is False
        sad = await one.sad(hashes)
        assert (await bench.admin("csc/forget", {})).status_code == 204
        assert error(await one.sign(sad, hashes))[2] == "Invalid parameter SAD"
        assert (await bench.admin(f"{path}/lock", {})).json()["locked"] is True
        assert (await bench.admin("csc/credentials/nobody")).status_code == 404

    play(scene, tmp_path, clock=clock)


def test_a_code_is_good_once_and_send_otp_sends_one(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        sent = await one.post("credentials/sendOTP", one.mine())
        assert sent.status_code == 204
        code = one.credential.one_time_code
        data = [{"id": "PIN", "value": PIN}, {"id": "OTP", "value": code}]
        assert (await one.authorize(digests(), authData=data)).status_code == 200
        assert error(await one.authorize(digests(), authData=data))[1] == "invalid_authentication_data"

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("state", "status", "wrong"),
    [
        ("suspend", "suspended", "The credential identified by credentialID is disabled"),
        ("revoke", "revoked", "The credential identified by credentialID is disabled"),
        ("expire", "expired", "Signing certificate is expired"),
    ],
)
def test_a_certificate_that_does_not_hold_signs_nothing(tmp_path: Path, state: str, status: str, wrong: str) -> None:
    clock = Clock()

    async def scene(bench: Bench) -> None:
        one = await client(bench)
        sad = await one.sad(digests())
        serial = one.credential.held.certificate.serial_number
        if state == "suspend":
            bench.sandbox.authority.suspend(serial)
        elif state == "revoke":
            bench.sandbox.authority.revoke(serial, "keyCompromise")
        else:
            clock.advance(366 * 86400)
            await one.login()
        assert error(await one.sign(sad, digests()))[2] == wrong
        assert error(await one.authorize(digests()))[2] == wrong
        info = (await one.post("credentials/info", one.mine())).json()
        assert (info["cert"]["status"], info["key"]["status"]) == (status, "disabled")
        valid = (await one.post("credentials/list", {"onlyValid": True})).json()
        assert valid == {"credentialIDs": [], "onlyValid": True}

    play(scene, tmp_path, clock=clock)


@pytest.mark.parametrize(
    ("method", "changes", "wrong"),
    [
        ("credentials/info", {"credentialID": 5}, "Missing (or invalid type) string parameter credentialID"),
        ("credentials/info", {"credentialID": "x"}, "Invalid parameter credentialID"),
        ("credentials/info", {"certificates": "all"}, "Invalid parameter certificates"),
        ("credentials/list", {"userID": 5}, "Invalid parameter userID"),
        (
            "credentials/authorize",
            {"numSignatures": "2"},
            "Missing (or invalid type) integer parameter numSignatures",
        ),
        ("credentials/authorize", {"numSignatures": 0}, "Invalid value for parameter numSignatures"),
        ("credentials/authorize", {"numSignatures": 3}, "Invalid value for parameter numSignatures"),
        ("credentials/authorize", {"numSignatures": 51}, "Numbers of signatures is too high"),
        ("credentials/authorize", {"hashes": None}, "Missing (or invalid type) array parameter hashes"),
        ("credentials/authorize", {"hashAlgorithmOID": "1.3.14.3.2.26"}, "Invalid parameter hashAlgorithmOID"),
        ("credentials/authorize", {"authData": None}, "Missing (or invalid type) array parameter authData"),
        ("signatures/signHash", {"SAD": None}, "Missing (or invalid type) string parameter SAD"),
        ("signatures/signHash", {"SAD": "x"}, "Invalid parameter SAD"),
        ("signatures/signHash", {"hashes": []}, "Empty hash array"),
        ("signatures/signHash", {"hashes": ["%"]}, "Invalid Base64 hash string parameter"),
        ("signatures/signHash", {"hashes": [b64(b"short")]}, "Invalid digest value length"),
        ("signatures/signHash", {"signAlgo": None}, "Missing (or invalid type) string parameter signAlgo"),
        ("signatures/signHash", {"signAlgo": ECDSA_SHA256}, "Invalid parameter signAlgo"),
        (
            "signatures/signHash",
            {"hashAlgorithmOID": None},
            "Missing (or invalid type) string parameter hashAlgorithmOID",
        ),
        ("signatures/signHash", {"signAlgo": PSS}, "Missing (or invalid type) string parameter signAlgoParams"),
        (
            "signatures/signHash",
            {"signAlgo": PSS, "signAlgoParams": pss_params("sha1", 20)},
            "Invalid parameter signAlgoParams",
        ),
        ("signatures/signHash", {"operationMode": "A"}, "Invalid parameter operationMode"),
    ],
)
def test_a_bad_request_is_refused_with_the_text_of_the_standard(
    tmp_path: Path, method: str, changes: dict[str, Any], wrong: str
) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        body: dict[str, Any] = {
            **one.mine(),
            "numSignatures": 4,
            "hashes": digests(),
            "hashAlgorithmOID": SHA256,
            "signAlgo": RSA,
            "SAD": await one.sad(digests()),
            "authData": [{"id": "PIN", "value": PIN}, {"id": "OTP", "value": await one.code()}],
        }
        assert error(await one.post(method, body | changes)) == (400, "invalid_request", wrong)

    play(scene, tmp_path)


def test_methods_not_served_and_bodies_that_are_no_json(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        assert (await one.post("signatures/signDoc")).status_code == 501
        assert (await one.post("credentials/forget")).status_code == 404
        url = f"{bench.sandbox.csc_url}/csc/v2/credentials/list"
        for body in (b"[]", b"{", b"\xff"):
            got = await bench.http.post(url, content=body, headers=one.headers)
            assert error(got)[:2] == (400, "invalid_request")

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        (Rule("csc", Action.REFUSE), (400, "invalid_request", "SAD expired")),
        (
            Rule("csc", Action.REFUSE, code="invalid_otp", call=Call.AUTHORIZE),
            (400, "invalid_otp", "The OTP is invalid"),
        ),
        (
            Rule("csc", Action.REFUSE, call=Call.AUTHORIZE),
            (400, "invalid_authentication_data", "The authentication data is invalid"),
        ),
        (
            Rule("csc", Action.REFUSE, code="credential_locked", call=Call.AUTHORIZE),
            (400, "invalid_request", "Credential locked"),
        ),
        (
            Rule("csc", Action.REFUSE, code="too_many_signatures", call=Call.AUTHORIZE),
            (400, "invalid_request", "Numbers of signatures is too high"),
        ),
        (
            Rule("csc", Action.REFUSE, code="expired_token"),
            (401, "expired_token", "The access token is expired or has been revoked"),
        ),
    ],
)
def test_each_refusal_of_a_plan(tmp_path: Path, rule: Rule, wrong: tuple[int, str, str]) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench, code=False)
        hashes = digests()
        sad = await one.sad(hashes)
        bench.sandbox.faults.add(rule)
        asked = one.sign(sad, hashes) if rule.call is Call.SUBMIT else one.authorize(hashes)
        assert error(await asked) == wrong
        bench.sandbox.faults.clear()
        after = await one.sign(sad, hashes)
        assert (after.status_code == 200) is (wrong[2] != "SAD expired")

    play(scene, tmp_path)


def test_a_session_lost_in_the_middle_of_a_day_is_taken_up_again(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        hashes = digests([f"{n}".encode() for n in range(6)])
        bench.sandbox.faults.add(Rule("csc", Action.REFUSE, code="sad_expired", first=2, last=2))
        done: list[str] = []
        sad = await one.sad(hashes)
        while len(done) < len(hashes):
            got = await one.sign(sad, hashes[len(done) : len(done) + 2])
            if got.status_code == 200:
                done += got.json()["signatures"]
            else:
                assert error(got)[2] == "SAD expired"
                sad = await one.sad(hashes[len(done) :])
        assert bench.sandbox.faults.fired(Action.REFUSE) == 1
        for n, signature in enumerate(done):
            assert await verified(bench, one.credential, signature, f"{n}".encode(), "-sha256")

    play(scene, tmp_path)


@pytest.mark.parametrize("code", ["partial_batch", "swapped", "wrong_key", "bad_signature"])
def test_each_distortion_of_signatures_is_seen_by_openssl(tmp_path: Path, code: str) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        hashes = digests()
        sad = await one.sad(hashes)
        bench.distort("csc", code)
        signatures = (await one.sign(sad, hashes)).json()["signatures"]
        hold = [
            await verified(bench, one.credential, signature, text, "-sha256")
            for signature, text in zip(signatures, TEXTS, strict=False)
        ]
        assert hold == ([True] * 2 if code == "partial_batch" else [False] * 4)
        bench.sandbox.faults.clear()
        rest = await one.sign(sad, hashes[2:])
        assert (rest.status_code == 200) is (code == "partial_batch")

    play(scene, tmp_path)


def test_throttled_slow_and_down(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench)
        faults = bench.sandbox.faults
        faults.add(Rule("csc", Action.THROTTLE, call=None, retry_after_s=3, last=1))
        got = await one.post("credentials/list")
        assert (got.status_code, got.headers["retry-after"]) == (429, "3")
        faults.add(Rule("csc", Action.SLOW, call=Call.FIND, delay_ms=150))
        began = asyncio.get_running_loop().time()
        assert (await one.post("credentials/list")).status_code == 200
        assert asyncio.get_running_loop().time() - began >= 0.15
        faults.add(Rule("csc", Action.DOWN, call=None))
        await bench.sandbox.settle()
        with pytest.raises(httpx.ConnectError):
            await one.post("credentials/list")

    play(scene, tmp_path)


def test_credentials_made_through_the_admin_interface_outlive_a_stop(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    wish = {
        "subject": {"common_name": "Nguyễn Văn Xa", "identifier": "CCCD:9"},
        "user": "CCCD:9",
        "pin": PIN,
        "one_time_code": False,
        "key": "ec256",
        "identifier": "xa",
    }

    async def first(bench: Bench) -> None:
        assert (await bench.admin("csc/credentials", wish)).status_code == 201
        assert (await bench.admin("csc/credentials", wish)).status_code == 409

    async def second(bench: Bench) -> None:
        one = Client(bench, bench.sandbox.credentials.all["xa"])
        await one.login()
        hashes = digests()
        got = await one.sign(await one.sad(hashes), hashes, signAlgo=ECDSA_SHA256)
        assert await verified(bench, one.credential, got.json()["signatures"][3], TEXTS[3], "-sha256")

    play(first, tmp_path, folder=folder)
    play(second, tmp_path, folder=folder)


class _Manager(CSCAuthorizationManager):
    """pyHanko leaves the authorization to its users."""

    def __init__(self, one: Client, *more: Any) -> None:
        super().__init__(*more)
        self.one = one

    async def authorize_signature(self, hash_b64s: list[str]) -> CSCAuthorizationInfo:
        return CSCAuthorizationInfo(await self.one.sad(hash_b64s))


class _Signer(CSCSigner):
    """pyHanko speaks version 1; version 2 has the same call with two other names."""

    async def format_csc_signing_req(self, tbs_hashes: list[str], digest_algorithm: str) -> dict[str, Any]:
        asked: dict[str, Any] = await super().format_csc_signing_req(tbs_hashes, digest_algorithm)
        return {**asked, "hashes": asked["hash"], "hashAlgorithmOID": asked["hashAlgo"]}


@pytest.mark.parametrize(("key", "pss"), [("rsa2048", False), ("rsa2048", True), ("ec256", False)])
def test_pyhanko_signs_with_it_and_openssl_verifies(tmp_path: Path, key: KeyKind, pss: bool) -> None:
    async def scene(bench: Bench) -> None:
        one = await client(bench, key)
        token = one.headers["Authorization"].removeprefix("Bearer ")
        service = CSCServiceSessionInfo(bench.sandbox.csc_url, one.credential.identifier, token, api_ver="v2")
        async with aiohttp.ClientSession() as session:
            info = await fetch_certs_in_csc_credential(session, service)
            assert (info.max_batch_size, info.hash_pinning_required) == (50, True)
            signer = _Signer(session, _Manager(one, service, info), prefer_pss=pss)
            signed = await signer.async_sign_general_data(TEXTS[0], "sha256", detached=True)
        seal, text = bench.file("seal.p7s", signed.dump()), bench.file("text", TEXTS[0])
        check = ("cms", "-verify", "-inform", "DER", "-binary", "-purpose", "any", "-CAfile", bench.root)
        code, said = await bench.openssl(*check, "-in", seal, "-content", text)
        assert (code, "verification successful" in said.lower()) == (0, True), said

    play(scene, tmp_path)
