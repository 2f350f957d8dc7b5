"""OpenSSL and certvalidator judge what the sandbox's CA issues and what it says of it: by OCSP and by lists."""

from __future__ import annotations

import asyncio
import base64
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import aiohttp
import httpx
import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathValidationError
from pyhanko_certvalidator.fetchers.aiohttp_fetchers import AIOHttpFetcherBackend

from conformance.sandbox.ca import DemoCA
from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.holders import DEMO_HOLDERS, Holder, Validity
from conformance.sandbox.server import Sandbox
from tests.integration.sandbox.peer import SETTINGS, Clock
from tests.integration.sandbox.trust import Bench, play

OCSP_QUESTION = {"content-type": "application/ocsp-request"}
DOCTOR = DEMO_HOLDERS["doctor"]


def question(certificate: x509.Certificate, issuer: x509.Certificate, nonce: bytes | None = None) -> bytes:
    builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA256())
    if nonce is not None:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(Encoding.DER)


@pytest.mark.parametrize("key", ["rsa2048", "rsa3072", "ec256", "ec384"])
def test_a_signer_chains_to_the_root_and_is_good(tmp_path: Path, key: str) -> None:
    async def scene(bench: Bench) -> None:
        signer = bench.file("signer.pem", bench.sandbox.authority.issue(DOCTOR, key))  # type: ignore[arg-type]
        code, said = await bench.openssl(
            "verify", "-x509_strict", "-CAfile", bench.root, "-untrusted", bench.issuing, signer
        )
        assert code == 0, said
        said = await bench.ocsp(signer)
        assert "Response verify OK" in said
        assert "signer.pem: good" in said
        assert "WARNING" not in said  # the nonce came back
        assert "issuing.pem: good" in await bench.ocsp(bench.issuing, issuer=bench.root)

    play(scene, tmp_path)


def test_subjects_are_written_as_vietnamese_authorities_do(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        doctor, seal, head = (authority.issue(DEMO_HOLDERS[name], "ec256") for name in ("doctor", "facility", "head"))
        subject = doctor.certificate.subject
        assert [attribute.oid for attribute in subject] == [
            NameOID.COUNTRY_NAME,
            NameOID.STATE_OR_PROVINCE_NAME,
            NameOID.ORGANIZATION_NAME,
            NameOID.ORGANIZATIONAL_UNIT_NAME,
            NameOID.TITLE,
            NameOID.COMMON_NAME,
            NameOID.USER_ID,
        ]
        assert subject.get_attributes_for_oid(NameOID.USER_ID)[0].value == "CCCD:001180999903"
        assert seal.certificate.subject.get_attributes_for_oid(NameOID.USER_ID)[0].value == "MST:0109999999"
        assert head.certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)[0].value == "CCCD:001175999902"
        code, said = await bench.openssl(
            "x509", "-in", bench.file("d.pem", doctor), "-noout", "-subject", "-nameopt", "utf8,sep_comma_plus"
        )
        assert (code, "CN=Nguyễn Thị Bác" in said) == (0, True)

    play(scene, tmp_path)


def test_addresses_in_a_certificate_lead_to_status_list_and_issuer(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        signer = bench.sandbox.authority.issue(DOCTOR, "ec256").certificate
        access = signer.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
        points = signer.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        responder, above = (each.access_location.value for each in access)
        assert responder == bench.sandbox.ocsp_url
        issuer = x509.load_der_x509_certificate((await bench.http.get(above)).content)
        signer.verify_directly_issued_by(issuer)
        issuer.verify_directly_issued_by(bench.sandbox.ca.certificate)
        names = points[0].full_name
        assert names is not None
        listed = await bench.http.get(names[0].value)
        assert listed.headers["content-type"] == "application/pkix-crl"
        key = issuer.public_key()
        assert x509.load_der_x509_crl(listed.content).is_signature_valid(key)  # type: ignore[arg-type]  # RSA here

    play(scene, tmp_path)


def test_suspended_resumed_and_revoked_as_openssl_sees_it(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        made = authority.issue(DOCTOR, "ec256")
        signer, serial = bench.file("signer.pem", made), made.certificate.serial_number
        authority.suspend(serial)
        said = await bench.ocsp(signer)
        assert "signer.pem: revoked" in said
        assert "Reason: certificateHold" in said
        authority.resume(serial)
        assert "signer.pem: good" in await bench.ocsp(signer)
        lost = datetime(2026, 3, 1, 8, tzinfo=UTC)
        authority.revoke(serial, "keyCompromise", datetime(2026, 3, 2, 9, 30, tzinfo=UTC), lost)
        said = await bench.ocsp(signer)
        assert "Reason: keyCompromise" in said
        assert "Revocation Time: Mar  2 09:30:00 2026 GMT" in said
        data = (await bench.http.get(f"{bench.sandbox.crl_url}/issuing.crl")).content
        listed = bench.file("issuing.crl", data)
        code, said = await bench.openssl(
            "crl", "-inform", "DER", "-in", listed, "-CAfile", bench.issuing, "-noout", "-text"
        )
        assert (code, "verify OK" in said, "Key Compromise" in said, "Invalidity Date" in said) == (0, True, True, True)
        found = x509.load_der_x509_crl(data).get_revoked_certificate_by_serial_number(serial)
        assert found is not None
        assert found.revocation_date_utc == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
        check = ("verify", "-crl_check", "-CAfile", bench.root, "-untrusted", bench.issuing)
        pem = x509.load_der_x509_crl(data).public_bytes(Encoding.PEM)
        code, said = await bench.openssl(*check, "-CRLfile", bench.file("crl.pem", pem), signer)
        assert (code, "certificate revoked" in said) == (2, True)

    play(scene, tmp_path)


def test_a_revocation_that_lies_ahead_holds_when_its_time_has_come(tmp_path: Path) -> None:
    clock = Clock()

    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        made = authority.issue(DOCTOR, "ec256").certificate
        authority.revoke(made.serial_number, "superseded", clock() + timedelta(hours=1))
        asked = question(made, authority.issuing.certificate)

        async def told() -> tuple[str, bool]:
            got = await bench.http.post(bench.sandbox.ocsp_url, content=asked, headers=OCSP_QUESTION)
            listed = (await bench.http.get(f"{bench.sandbox.crl_url}/issuing.crl")).content
            line = x509.load_der_x509_crl(listed).get_revoked_certificate_by_serial_number(made.serial_number)
            return ocsp.load_der_ocsp_response(got.content).certificate_status.name, line is not None

        assert await told() == ("GOOD", False)
        clock.advance(3600)
        assert await told() == ("REVOKED", True)

    play(scene, tmp_path, clock=clock)


def test_lists_are_numbered_upwards_and_made_anew_only_after_a_change(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority

        async def fetch() -> x509.CertificateRevocationList:
            return x509.load_der_x509_crl((await bench.http.get(f"{bench.sandbox.crl_url}/issuing.crl")).content)

        def number(crl: x509.CertificateRevocationList) -> int:
            return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number

        made = authority.issue(DOCTOR, "ec256")
        first, same = await fetch(), await fetch()
        authority.revoke(made.certificate.serial_number)
        second = await fetch()
        assert (first, number(second)) == (same, number(first) + 1)
        (line,) = second
        assert list(line.extensions) == []  # unspecified is not written: RFC 5280 §5.3.1
        next_update = second.next_update_utc
        assert next_update is not None
        assert next_update - second.last_update_utc == timedelta(days=1)

    play(scene, tmp_path)


def test_ocsp_by_get_by_post_and_for_several_at_once(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        one, other = authority.issue(DOCTOR, "ec256"), authority.issue(DEMO_HOLDERS["nurse"], "ec256")
        issuer = authority.issuing.certificate
        nonce = secrets.token_bytes(32)
        asked = question(one.certificate, issuer, nonce)
        url = bench.sandbox.ocsp_url
        for got in (
            await bench.http.post(url, content=asked, headers=OCSP_QUESTION),
            await bench.http.get(f"{url}/{quote(base64.b64encode(asked), safe='')}"),
        ):
            answer = ocsp.load_der_ocsp_response(got.content)
            assert got.headers["content-type"] == "application/ocsp-response"
            assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
            assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == nonce
            assert answer.next_update_utc is not None
            assert answer.next_update_utc - answer.this_update_utc == timedelta(hours=1)
            (delegate,) = answer.certificates
            delegate.verify_directly_issued_by(issuer)
            delegate.extensions.get_extension_for_class(x509.OCSPNoCheck)
        authority.revoke(other.certificate.serial_number, "affiliationChanged")
        said = await bench.ocsp(bench.file("one.pem", one), "-cert", bench.file("other.pem", other))
        assert ("one.pem: good" in said, "other.pem: revoked" in said) == (True, True)

    play(scene, tmp_path)


def test_what_was_never_issued_is_unknown(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        asked = ("-issuer", bench.issuing, "-serial", "0x1234", "-url", bench.sandbox.ocsp_url)
        _, said = await bench.openssl("ocsp", *asked, "-CAfile", bench.root)
        assert "0x1234: unknown" in said
        stranger = bench.file("stranger.pem", bench.sandbox.authority.stranger("Stranger OCSP"))
        assert "stranger.pem: unknown" in await bench.ocsp(stranger, issuer=stranger)

    play(scene, tmp_path)


@pytest.mark.parametrize("body", [b"", b"\x30\x00", b"not DER", b"\x30\x03\x02\x01\x05"])
def test_what_is_no_question_is_answered_malformed_request(tmp_path: Path, body: bytes) -> None:
    async def scene(bench: Bench) -> None:
        url = bench.sandbox.ocsp_url
        got = await bench.http.post(url, content=body, headers=OCSP_QUESTION)
        assert ocsp.load_der_ocsp_response(got.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
        assert (await bench.http.post(url, content=body, headers={"content-type": "text/plain"})).status_code == 415
        got = await bench.http.get(url + "/%%%")
        assert ocsp.load_der_ocsp_response(got.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("revoked_yesterday", "signer.pem: revoked"),
        ("unknown", "signer.pem: unknown"),
        ("stale", "Status times invalid"),
        ("other_certificate", "No Status found"),
        ("wrong_signer", "Response Verify Failure"),
        ("not_delegated", "Response Verify Failure"),
        ("bad_signature", "Response Verify Failure"),
        ("wrong_nonce", "Nonce Verify error"),
        ("no_nonce", "WARNING: no nonce in response"),
        ("malformed", "Error querying OCSP responder"),
    ],
)
def test_openssl_notices_each_distortion_of_ocsp(tmp_path: Path, code: str, said: str) -> None:
    async def scene(bench: Bench) -> None:
        signer = bench.file("signer.pem", bench.sandbox.authority.issue(DOCTOR, "ec256"))
        bench.distort("ocsp", code)
        assert said in await bench.ocsp(signer)
        bench.sandbox.faults.clear()
        assert "signer.pem: good" in await bench.ocsp(signer)

    play(scene, tmp_path)


def test_a_distortion_can_be_for_one_certificate_alone(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        one, other = authority.issue(DOCTOR, "ec256"), authority.issue(DEMO_HOLDERS["nurse"], "ec256")
        bench.distort("ocsp", "no_next_update", document=f"{one.certificate.serial_number:X}")
        found = []
        for certificate in (one.certificate, other.certificate):
            asked = question(certificate, authority.issuing.certificate)
            got = await bench.http.post(bench.sandbox.ocsp_url, content=asked, headers=OCSP_QUESTION)
            found.append(ocsp.load_der_ocsp_response(got.content).next_update_utc is None)
        assert found == [True, False]

    play(scene, tmp_path)


def test_ocsp_errors_delays_and_a_closed_port(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority, faults = bench.sandbox.authority, bench.sandbox.faults
        signer = authority.issue(DOCTOR, "ec256").certificate
        asked = question(signer, authority.issuing.certificate)

        async def ask() -> httpx.Response:
            return await bench.http.post(bench.sandbox.ocsp_url, content=asked, headers=OCSP_QUESTION)

        for code, status in (
            (None, ocsp.OCSPResponseStatus.TRY_LATER),
            ("unauthorized", ocsp.OCSPResponseStatus.UNAUTHORIZED),
            ("sigRequired", ocsp.OCSPResponseStatus.SIG_REQUIRED),
        ):
            faults.clear()
            faults.add(Rule("ocsp", Action.REFUSE, code=code))
            assert ocsp.load_der_ocsp_response((await ask()).content).response_status is status
        faults.clear()
        faults.add(Rule("ocsp", Action.SLOW, delay_ms=150))
        began = asyncio.get_running_loop().time()
        assert (await ask()).status_code == 200
        assert asyncio.get_running_loop().time() - began >= 0.15
        faults.clear()
        faults.add(Rule("ocsp", Action.DOWN))
        await bench.sandbox.settle()
        with pytest.raises(httpx.ConnectError):
            await ask()
        assert (await bench.http.get(f"{bench.sandbox.crl_url}/issuing.crl")).status_code == 200

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("", "OK"),
        ("stale", "CRL has expired"),
        ("wrong_issuer", "unable to get certificate CRL"),
        ("wrong_signer", "CRL signature failure"),
        ("bad_signature", "CRL signature failure"),
    ],
)
def test_openssl_notices_each_distortion_of_a_list(tmp_path: Path, code: str, said: str) -> None:
    async def scene(bench: Bench) -> None:
        signer = bench.file("signer.pem", bench.sandbox.authority.issue(DOCTOR, "ec256"))
        if code:
            bench.distort("crl", code)
        data = (await bench.http.get(f"{bench.sandbox.crl_url}/issuing.crl")).content
        pem = bench.file("crl.pem", x509.load_der_x509_crl(data).public_bytes(Encoding.PEM))
        check = ("verify", "-crl_check", "-CAfile", bench.root, "-untrusted", bench.issuing, "-CRLfile", pem)
        status, heard = await bench.openssl(*check, signer)
        assert said in heard
        assert (status == 0) is (code == "")

    play(scene, tmp_path)


def test_a_huge_list_still_holds_a_cut_one_does_not_and_one_may_be_missing(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        url = f"{bench.sandbox.crl_url}/issuing.crl"
        bench.distort("crl", "huge")
        data = (await bench.http.get(url)).content
        assert len(data) > 9_000_000
        code, said = await bench.openssl(
            "crl", "-inform", "DER", "-in", bench.file("huge.crl", data), "-CAfile", bench.issuing, "-noout"
        )
        assert (code, "verify OK" in said) == (0, True)
        bench.distort("crl", "malformed")
        with pytest.raises(ValueError, match="parsing"):
            x509.load_der_x509_crl((await bench.http.get(url)).content)
        bench.sandbox.faults.clear()
        bench.sandbox.faults.add(Rule("crl", Action.REFUSE))
        assert (await bench.http.get(url)).status_code == 404

    play(scene, tmp_path)


def test_certvalidator_agrees_by_ocsp_and_by_list(tmp_path: Path) -> None:
    """A second judge, which fetches by itself from the addresses in the certificate."""

    async def judge(bench: Bench, certificate: x509.Certificate) -> None:
        def asn1(one: x509.Certificate) -> asn1_x509.Certificate:
            return asn1_x509.Certificate.load(one.public_bytes(Encoding.DER))

        async with aiohttp.ClientSession() as session:
            context = ValidationContext(
                trust_roots=[asn1(bench.sandbox.ca.certificate)],
                other_certs=[asn1(bench.sandbox.authority.issuing.certificate)],
                allow_fetching=True,
                revocation_mode="require",
                fetcher_backend=AIOHttpFetcherBackend(session),
            )
            validator = CertificateValidator(asn1(certificate), validation_context=context)
            # without types in certvalidator
            await validator.async_validate_usage({"non_repudiation"})  # type: ignore[no-untyped-call]

    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        good, bad = authority.issue(DOCTOR).certificate, authority.issue(DEMO_HOLDERS["nurse"]).certificate
        authority.revoke(bad.serial_number, "keyCompromise", datetime.now(UTC) - timedelta(minutes=1))
        for service in ("crl", "ocsp"):
            bench.sandbox.faults.clear()
            bench.sandbox.faults.add(Rule(service, Action.DOWN))
            await bench.sandbox.settle()
            await judge(bench, good)
            with pytest.raises(PathValidationError, match="revoked"):
                await judge(bench, bad)

    play(scene, tmp_path)


def test_the_life_of_a_certificate_through_the_admin_interface(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        subject = {"common_name": "Nguyễn Văn Mới", "title": "Bác sĩ", "identifier": "CCCD:001199999905"}
        path = "authority/certificates"
        made = (await bench.admin(path, {"subject": subject, "key": "ec384", "password": "mở", "days": 30})).json()
        stored = pkcs12.load_pkcs12(base64.b64decode(made["pkcs12"]), "mở".encode())
        assert stored.cert is not None
        assert len(stored.additional_certs) == 2
        assert f"{stored.cert.certificate.serial_number:X}" == made["serial"]
        one = f"{path}/{made['serial']}"
        states = [made["state"]]
        for step, body in (
            ("suspend", {}),
            ("resume", {}),
            ("suspend", {"at": "2026-01-01T00:00:00+07:00"}),
            ("revoke", {"reason": "keyCompromise", "at": "2026-01-02T00:00:00+07:00"}),
        ):
            answer = await bench.admin(f"{one}/{step}", body)
            assert answer.status_code == 200
            states.append(answer.json()["state"])
        assert states == ["valid", "suspended", "valid", "suspended", "revoked"]
        shown = (await bench.admin(one)).json()
        assert (shown["reason"], shown["revoked_at"]) == ("keyCompromise", "2026-01-02T00:00:00+07:00")
        for step, body in (("resume", {}), ("suspend", {}), ("revoke", {}), ("renew", {})):
            assert (await bench.admin(f"{one}/{step}", body)).status_code == 409
        assert (await bench.admin(f"{one}/revoke", {"reason": "tired"})).status_code == 409
        assert (await bench.admin(f"{path}/ABC/suspend", {})).status_code == 404
        assert (await bench.admin(f"{path}/xyz")).status_code == 404
        assert (await bench.admin(path, {"subject": subject})).status_code == 422
        listed = (await bench.admin(path)).json()
        assert made["serial"] in {each["serial"] for each in listed}

    play(scene, tmp_path)


def test_a_renewed_certificate_has_the_same_subject_and_key(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        authority = bench.sandbox.authority
        now = datetime.now(UTC)
        ended = Validity(now - timedelta(days=400), now - timedelta(days=35))
        made = authority.issue(DOCTOR, "ec256", ended).certificate
        entry = authority.find(made.serial_number)
        assert entry.state(now) == "expired"
        renewed = (await bench.admin(f"authority/certificates/{made.serial_number:X}/renew", {"days": 100})).json()
        fresh = x509.load_pem_x509_certificate(renewed["pem"].encode())
        assert (fresh.subject, fresh.public_key()) == (made.subject, made.public_key())
        assert fresh.serial_number != made.serial_number
        assert renewed["state"] == "valid"

    play(scene, tmp_path)


def test_a_key_made_elsewhere_is_certified_by_its_request(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = Holder("Trên Thiết Bị", identifier="CCCD:001199999906").subject()
        request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
        pem = request.public_bytes(Encoding.PEM).decode()
        made = (await bench.admin("authority/certificates", {"csr": pem})).json()
        certificate = x509.load_pem_x509_certificate(made["pem"].encode())
        assert (certificate.subject, certificate.public_key()) == (name, key.public_key())
        above = x509.load_pem_x509_certificates(made["chain"].encode())
        certificate.verify_directly_issued_by(above[0])
        der = bytearray(request.public_bytes(Encoding.DER))
        der[-1] ^= 1
        forged = x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM).decode()
        for wrong in (forged, "x"):
            assert (await bench.admin("authority/certificates", {"csr": wrong})).status_code == 422

    play(scene, tmp_path)


def test_a_later_start_knows_the_register_and_keeps_the_addresses(tmp_path: Path) -> None:
    async def run() -> None:
        settings = replace(SETTINGS, folder=tmp_path)
        async with Sandbox(settings) as sandbox:
            made = sandbox.authority.issue(DOCTOR, "ec256").certificate
            sandbox.authority.revoke(made.serial_number, "superseded")
            urls = (sandbox.ocsp_url, sandbox.crl_url)
            issuing = sandbox.authority.issuing.certificate
            async with httpx.AsyncClient(trust_env=False) as http:
                first = x509.load_der_x509_crl((await http.get(f"{sandbox.crl_url}/issuing.crl")).content)
        async with Sandbox(settings) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            assert (sandbox.ocsp_url, sandbox.crl_url) == urls
            assert sandbox.authority.issuing.certificate == issuing
            second = x509.load_der_x509_crl((await http.get(f"{sandbox.crl_url}/issuing.crl")).content)
            assert second.get_revoked_certificate_by_serial_number(made.serial_number) is not None
            numbers = [
                each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (first, second)
            ]
            assert numbers[0] < numbers[1]

    asyncio.run(run())


def test_a_root_from_before_there_was_an_issuing_ca_gets_room_for_one(tmp_path: Path) -> None:
    before = DemoCA(tmp_path)
    name = before.certificate.subject
    old = x509.CertificateBuilder(name, name, before.key.public_key(), 1)
    old = old.not_valid_before(before.certificate.not_valid_before_utc).not_valid_after(
        before.certificate.not_valid_after_utc
    )
    old = old.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    before.pem_file.write_bytes(old.sign(before.key, hashes.SHA256()).public_bytes(Encoding.PEM))
    signer = before.issue("Bác sĩ cũ").certificate
    after = DemoCA(tmp_path)
    constraints = after.certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert constraints.path_length == 1
    assert x509.load_pem_x509_certificate(after.pem_file.read_bytes()) == after.certificate
    signer.verify_directly_issued_by(after.certificate)
