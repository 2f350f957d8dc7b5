"""Our client and the sandbox's time-stamping authority, over the wire, honest and with every distortion it knows."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from cryptography import x509

from conformance.sandbox.faults import Action, Rule
from conformance.sandbox.tsa import POLICY
from mappings.formats.faults import SigningFault
from signing import xades, xades_levels
from signing.faults import TimestampInvalid, TimestampUnavailable
from signing.many_requests import ManyRequests
from signing.testing import Authority
from signing.timestamp import TimestampClient, TimestampService
from signing.timestamp_token import Token
from tests.integration.sandbox.trust import Bench, play


def client(bench: Bench, policy: str = POLICY, **options: float) -> TimestampClient:
    root = x509.load_pem_x509_certificate(bench.read("root.pem"))
    return TimestampClient([TimestampService(bench.sandbox.tsa_url, (root,), policy)], **options)  # type: ignore[arg-type]


async def stamped(bench: Bench, policy: str = POLICY) -> Token:
    async with ManyRequests(1) as http:
        return await client(bench, policy).stamp_async(b"x", http)


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_two_hundred_in_flight(hash_name: str, tmp_path: Path) -> None:
    signed = xades.sign(b"<r/>", Authority.root().issue("Bác sĩ"))

    async def scene(bench: Bench) -> None:
        root = x509.load_pem_x509_certificate(bench.read("root.pem"))
        services = [TimestampService(bench.sandbox.tsa_url, (root,))]
        asking = TimestampClient(services, hash_name=hash_name, in_flight=200, timeout_s=60)
        data = xades_levels.timestamp_data(signed)
        async with ManyRequests(200) as http:
            tokens = await asyncio.gather(*(asking.stamp_async(data, http) for _ in range(200)))
        assert len({token.serial for token in tokens}) == 200
        assert xades_levels.with_timestamp(signed, tokens[-1]).count(b"SignatureTimeStamp") == 2

    play(scene, tmp_path)


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("wrong_nonce", TimestampInvalid),
        ("no_nonce", TimestampInvalid),
        ("wrong_imprint", TimestampInvalid),
        ("wrong_policy", TimestampInvalid),
        ("wrong_signer", TimestampInvalid),
        ("wrong_purpose", TimestampInvalid),
        ("expired_certificate", TimestampInvalid),
        ("no_certificate", TimestampInvalid),
        ("bad_signature", TimestampInvalid),
        ("yesterday", TimestampInvalid),
        ("malformed", TimestampInvalid),
        ("granted_with_mods", None),
    ],
)
def test_each_distortion(code: str, fault: type[SigningFault] | None, tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        bench.distort("tsa", code)
        if fault is None:
            assert (await stamped(bench)).policy == POLICY
        else:
            with pytest.raises(fault):
                await stamped(bench)

    play(scene, tmp_path)


def test_refusals_are_transient_unless_the_question_is_wrong(tmp_path: Path) -> None:
    async def scene(bench: Bench) -> None:
        bench.sandbox.faults.add(Rule("tsa", Action.REFUSE, code="systemFailure"))
        with pytest.raises(TimestampUnavailable, match="system_failure"):
            await stamped(bench)
        bench.sandbox.faults.clear()
        with pytest.raises(TimestampInvalid, match="unaccepted_policy"):
            await stamped(bench, "1.2.3")

    play(scene, tmp_path)
