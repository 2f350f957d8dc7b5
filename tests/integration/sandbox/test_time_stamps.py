"""OpenSSL and rfc3161-client judge the sandbox's time stamps, the honest and the distorted ones."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import rfc3161_client
from asn1crypto import core, tsp

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.tsa import POLICY
from tests.integration.sandbox.trust import Bench, play

QUERY = {"content-type": "application/timestamp-query"}
PAPER = "Giấy ra viện".encode()


async def stamp(bench: Bench, *options: str) -> tuple[int, str, bytes]:
    """Ask and verify with OpenSSL; return its status, what it said, and the answer."""
    paper, query = bench.file("paper", PAPER), str(bench.folder / "query.tsq")
    code, said = await bench.openssl("ts", "-query", "-data", paper, "-out", query, *(options or ("-sha256", "-cert")))
    assert code == 0, said
    got = await bench.http.post(bench.sandbox.tsa_url, content=bench.read("query.tsq"), headers=QUERY)
    assert got.headers["content-type"] == "application/timestamp-reply"
    answer = bench.file("answer.tsr", got.content)
    code, said = await bench.openssl(
        "ts", "-verify", "-queryfile", query, "-in", answer, "-CAfile", bench.root, "-untrusted", bench.issuing
    )
    return code, said, got.content


@pytest.mark.parametrize("digest", ["-sha256", "-sha384", "-sha512"])
def test_openssl_verifies_a_stamp(tmp_path: Path, digest: str) -> None:
    async def scene(bench: Bench) -> None:
        for more in ((), ("-tspolicy", POLICY), ("-no_nonce",)):
            code, said, answer = await stamp(bench, digest, "-cert", *more)
            assert (code, "Verification: OK" in said) == (0, True), said
        info = rfc3161_client.decode_timestamp_response(answer).tst_info
        assert info.policy.dotted_string == POLICY
        assert info.accuracy is not None
        assert info.accuracy.seconds == 1
        assert abs(info.gen_time - datetime.now(UTC)) < timedelta(minutes=1)

    play(scene, tmp_path)


def test_the_certificate_comes_only_when_asked_for(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        code, said, _ = await stamp(bench, "-sha256")
        assert (code, "signer certificate not found" in said) == (1, True)

    play(scene, tmp_path)


def test_another_client_reads_and_verifies_it(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        asked = rfc3161_client.TimestampRequestBuilder().data(PAPER).build()
        got = await bench.http.post(bench.sandbox.tsa_url, content=asked.as_bytes(), headers=QUERY)
        answer = rfc3161_client.decode_timestamp_response(got.content)
        assert asked.nonce is not None
        builder = rfc3161_client.VerifierBuilder().add_root_certificate(bench.sandbox.ca.certificate)
        verifier = builder.nonce(asked.nonce).build()
        assert verifier.verify_message(answer, PAPER)
        with pytest.raises(rfc3161_client.VerificationError):
            verifier.verify_message(answer, PAPER + b"x")

    play(scene, tmp_path)


def test_serial_numbers_differ(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        numbers = set()
        for _ in range(3):
            _, _, answer = await stamp(bench)
            numbers.add(rfc3161_client.decode_timestamp_response(answer).tst_info.serial_number)
        assert len(numbers) == 3

    play(scene, tmp_path)


def query(**changes: object) -> bytes:
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(PAPER).digest()}
    return bytes(tsp.TimeStampReq({"version": "v1", "message_imprint": imprint, **changes}).dump())


def imprint(algorithm: str, digest: bytes) -> dict[str, object]:
    return {"hash_algorithm": {"algorithm": algorithm}, "hashed_message": digest}


EXTENSION = {"extn_id": "2.999.5", "extn_value": core.Null().dump()}


@pytest.mark.parametrize(
    ("body", "failure"),
    [
        (query(message_imprint=imprint("sha1", hashlib.sha1(PAPER).digest())), "bad_alg"),
        (query(message_imprint=imprint("sha256", b"short")), "bad_data_format"),
        (query(req_policy="2.999.7"), "unaccepted_policy"),
        (query(extensions=[EXTENSION]), "unaccepted_extensions"),
        (query(version="v2"), "bad_request"),
        (b"not DER", "bad_request"),
        (b"", "bad_request"),
    ],
)
def test_a_request_that_cannot_be_granted_is_rejected_with_the_reason(
    tmp_path: Path, body: bytes, failure: str
) -> None:
    async def scene(bench: Bench) -> None:
        got = await bench.http.post(bench.sandbox.tsa_url, content=body, headers=QUERY)
        info = tsp.PKIStatusInfo.load(core.Sequence.load(got.content)[0].dump())
        assert (info["status"].native, info["fail_info"].native) == ("rejection", {failure})
        code, said = await bench.openssl("ts", "-reply", "-in", bench.file("no.tsr", got.content), "-text")
        assert (code, "Rejected" in said, "Not included." in said) == (0, True, True)
        assert (await bench.http.post(bench.sandbox.tsa_url, content=body)).status_code == 415

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("wrong_nonce", "nonce mismatch"),
        ("no_nonce", "nonce not returned"),
        ("wrong_imprint", "message imprint mismatch"),
        ("wrong_policy", "policy mismatch"),
        ("wrong_signer", "certificate verify error"),
        ("wrong_purpose", "certificate verify error"),
        ("expired_certificate", "certificate verify error"),
        ("no_certificate", "signer certificate not found"),
        ("bad_signature", "signature failure"),
    ],
)
def test_openssl_notices_each_distortion_of_a_stamp(tmp_path: Path, code: str, said: str) -> None:
    async def scene(bench: Bench) -> None:
        bench.distort("tsa", code)
        status, heard, _ = await stamp(bench, "-sha256", "-cert", "-tspolicy", POLICY)
        assert (status, said in heard) == (1, True), heard

    play(scene, tmp_path)


def test_granted_with_mods_yesterday_and_malformed(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        bench.distort("tsa", "granted_with_mods")
        status, heard, answer = await stamp(bench)
        assert (status, "Verification: OK" in heard) == (0, True)
        assert tsp.TimeStampResp.load(answer)["status"]["status"].native == "granted_with_mods"
        bench.distort("tsa", "yesterday")
        _, _, answer = await stamp(bench)
        age = datetime.now(UTC) - rfc3161_client.decode_timestamp_response(answer).tst_info.gen_time
        assert timedelta(hours=23) < age < timedelta(hours=25)
        bench.distort("tsa", "malformed")
        _, _, answer = await stamp(bench)
        with pytest.raises(ValueError, match="ASN"):
            rfc3161_client.decode_timestamp_response(answer)

    play(scene, tmp_path)


def test_a_refusal_by_plan_names_the_failure(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        for code, failure in ((None, "time_not_available"), ("systemFailure", "system_failure")):
            bench.sandbox.faults.clear()
            bench.sandbox.faults.add(Rule("tsa", Action.REFUSE, code=code))
            got = await bench.http.post(bench.sandbox.tsa_url, content=query(), headers=QUERY)
            info = tsp.PKIStatusInfo.load(core.Sequence.load(got.content)[0].dump())
            assert info["fail_info"].native == {failure}

    play(scene, tmp_path)
