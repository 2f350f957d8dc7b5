"""The axis checks the envelope on the bytes as sent and the paper inside, and tells afterwards what it has."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from conformance.sandbox.accounts import gln_is_valid
from conformance.sandbox.axis_envelope import EnvelopeError, read_envelope
from conformance.sandbox.ca import Identity
from conformance.sandbox.codes import AXIS
from conformance.sandbox.moh_axis import DataForm
from conformance.sandbox.server import GLN, Sandbox
from tests.integration.sandbox.peer import SETTINGS, AxisClient, cda, sign

Scene = Callable[[Sandbox, AxisClient, Identity], Awaitable[None]]


def play(scene: Scene, *, data: DataForm = "any") -> None:
    async def run() -> None:
        async with Sandbox(replace(SETTINGS, axis_data=data)) as sandbox, httpx.AsyncClient(trust_env=False) as http:
            key = sandbox.ca.issue("Bác sĩ B")
            sandbox.register(GLN, key.pem)
            client = AxisClient(sandbox, http, key)
            await client.login()
            await scene(sandbox, client, key)

    asyncio.run(run())


def code(response: httpx.Response) -> str:
    header = response.json()["header"]
    assert header["res_msg"] == AXIS[header["res_code"]]
    return str(header["res_code"])


def test_a_push_is_accepted_and_the_same_bytes_again_are_the_same_transaction() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        body = client.envelope(sign(cda("77"), signer))
        first, again = await client.push(body), await client.push(body)
        answer = first.json()
        assert answer["header"]["res_code"] == "CM_SUCCESS"
        assert answer["header"]["ref_msg_id"] == json.loads(body)["header"]["msg_id"]
        assert answer["header"]["msg_type"] == 102
        assert answer["data"]["data_state"] == "ACCEPTED"
        assert again.json()["data"]["data_state"] == "ACCEPTED_DUPLICATE"
        assert again.json()["header"]["txn_id"] == answer["header"]["txn_id"] != ""
        assert sandbox.records.counts("moh_axis") == {"accepted": 1, "repeats": 1, "refused": 0}
        assert sandbox.records.all()[0].document_id == "2.25.1^77"
        assert sandbox.records.all()[0].signers == ("Bác sĩ B",)

    play(scene)


def test_the_answer_is_signed_by_the_axis() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        envelope = read_envelope((await client.push(client.envelope(sign(cda(), signer)))).content)
        public = sandbox.axis.seal.certificate.public_key()
        assert isinstance(public, rsa.RSAPublicKey)
        signature = base64.b64decode(envelope.signature)
        public.verify(signature, envelope.signed_text, padding.PKCS1v15(), hashes.SHA256())

    play(scene)


def test_one_message_id_never_names_two_contents() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        msg_id = client.msg_id()
        paper = sign(cda(), signer)
        assert code(await client.push(client.envelope(paper, msg_id=msg_id))) == "CM_SUCCESS"
        other = client.envelope(sign(cda("2"), signer), msg_id=msg_id)
        assert code(await client.push(other)) == "CM_INVALID_REQUEST"
        later = client.envelope(paper, msg_id=msg_id, send_datetime=1795228800001)
        assert code(await client.push(later)) == "CM_INVALID_REQUEST"
        item = (await client.state(msg_id)).json()["data"]["item"]
        assert item["byt_status"] == "BYT_ACCEPTED"
        new_version = client.envelope(paper)
        assert code(await client.push(new_version)) == "CM_SUCCESS"

    play(scene)


def test_every_refusal_has_its_published_code_under_http_200() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        paper = sign(cda(), signer)
        sealed = client.envelope(paper)
        changed = sealed.replace(b"TDLBYT", b"TDLBYX")
        cases = [
            ("PS_DS_RSA_SIGNATURE_MISSING", client.envelope(paper, signed=False)),
            ("PS_DS_RSA_SIGNATURE_INVALID", changed),
            ("PS_DS_CA_SIGNATURE_MISSING", client.envelope(cda().encode())),
            ("PS_DS_CA_SIGNATURE_INVALID", client.envelope(paper.replace(b'extension="1"', b'extension="2"'))),
            ("CM_INVALID_REQUEST", client.envelope(b"no xml")),
            ("CM_INVALID_REQUEST", client.envelope(paper, version="1.0.0")),
            ("CM_INVALID_REQUEST", client.envelope(paper, sender_id="8930000000018")),
            ("CM_INVALID_REQUEST", client.envelope(paper, msg_id=GLN + "261399" + "0" * 32)),
            ("CM_INVALID_REQUEST", client.envelope(paper, msg_id="1")),
            ("CM_INVALID_REQUEST", client.envelope(paper, msg_type=102)),
            ("CM_INVALID_REQUEST", client.envelope(paper, data_type="xml")),
            ("CM_INVALID_REQUEST", client.envelope(paper, send_datetime="2026-11-21")),
            ("CM_INVALID_REQUEST", client.envelope(paper, txn_type="")),
        ]
        for wanted, body in cases:
            response = await client.push(body)
            assert (response.status_code, code(response)) == (200, wanted)
            assert response.json()["data"]["data_state"] == "INVALID"
        assert [record.code for record in sandbox.records.all()] == [wanted for wanted, _ in cases]

    play(scene)


def test_a_body_that_is_no_envelope_is_a_bad_request() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        for body in (b"", b"{", b"[]", b'{"header":{}}', b'{"header":1,"data":""}', b'{"header":{},"data":""} x'):
            response = await client.push(body)
            assert (response.status_code, code(response)) == (400, "CM_INVALID_REQUEST")
        response = await client.push(client.envelope(sign(cda(), signer)), **{"service-type": "1"})
        assert code(response) == "CM_INVALID_REQUEST"

    play(scene)


def test_an_unknown_sender_certificate_is_an_invalid_signature() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        body = client.envelope(sign(cda(), signer))
        del sandbox.axis.certificates[GLN]
        assert code(await client.push(body)) == "PS_DS_RSA_SIGNATURE_INVALID"
        sandbox.register(GLN, sandbox.ca.issue("another").pem)
        assert code(await client.push(body)) == "PS_DS_RSA_SIGNATURE_INVALID"

    play(scene)


@pytest.mark.parametrize(("form", "wrapped"), [("string", False), ("file_content", True)])
def test_the_form_of_data_can_be_pinned(form: DataForm, wrapped: bool) -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        paper = sign(cda(), signer)
        assert code(await client.push(client.envelope(paper, wrapped=wrapped))) == "CM_SUCCESS"
        assert code(await client.push(client.envelope(paper, wrapped=not wrapped))) == "CM_INVALID_REQUEST"

    play(scene, data=form)


def test_reconciliation_tells_accepted_refused_and_unknown_apart() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        good, bad = client.msg_id(), client.msg_id()
        await client.push(client.envelope(sign(cda(), signer), msg_id=good))
        await client.push(client.envelope(cda().encode(), msg_id=bad))
        accepted = (await client.state(good)).json()["data"]["item"]
        refused = (await client.state(bad)).json()["data"]["item"]
        unknown = await client.state(client.msg_id())
        assert (accepted["hoc_status"], accepted["byt_status"]) == ("ACCEPTED", "BYT_ACCEPTED")
        assert accepted["tracking_id"]
        assert refused["hoc_validation_status"] == "INVALID"
        assert refused["byt_res_code"] == "PS_DS_CA_SIGNATURE_MISSING"
        assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")
        other = await client.state(good, sender="8936000000003")
        assert (other.status_code, other.json()["code"]) == (403, "MACSKCB_MISMATCH")

    play(scene)


def test_without_a_good_login_nothing_is_taken() -> None:
    async def scene(sandbox: Sandbox, client: AxisClient, signer: Identity) -> None:
        assert (await client.login("wrong")).status_code == 401
        client.token = "x"
        response = await client.push(client.envelope(sign(cda(), signer)))
        assert (response.status_code, code(response)) == (401, "CM_AUTH_ACCOUNT_FAIL")
        assert (await client.state("1")).status_code == 401
        assert len(sandbox.records) == 0

    play(scene)


def test_the_signed_text_is_that_of_the_bytes_sent_without_space_between_tokens() -> None:
    compact = read_envelope(b'{"header":{"a":"x y","b":1.0,"c":"\\u1ea5"},"data":"QUJD","signature":"s"}')
    spaced = read_envelope(
        b' { "header" : { "a" : "x y" ,\n"b":1.0,\t"c":"\\u1ea5"} , "data" : "QUJD", "signature":"s" }\n'
    )
    respelt = read_envelope('{"header":{"a":"x y","b":1.0,"c":"ấ"},"data":"QUJD","signature":"s"}'.encode())
    reordered = read_envelope(b'{"header":{"b":1.0,"a":"x y","c":"\\u1ea5"},"data":"QUJD","signature":"s"}')
    assert compact.signed_text == spaced.signed_text
    assert compact.signed_text not in (respelt.signed_text, reordered.signed_text)
    with pytest.raises(EnvelopeError):
        read_envelope(b'{"header":{},"data":"","data":"x"}')


def test_gln_check_digit() -> None:
    assert gln_is_valid(GLN)
    assert not gln_is_valid("8930000000018")
    assert not gln_is_valid("893000000001")
