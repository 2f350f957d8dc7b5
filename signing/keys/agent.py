"""A key on the signer's own workstation, reached through the agent that runs there: `lienthong sign-agent`.

The signer sees every paper on their screen, gives the PIN there and may leave papers out; only hashes, titles and rendered
papers go there, only signatures come back. This end is for a gateway on the same machine, and for tests; a gateway elsewhere
lets its page speak the same protocol (`signing/agent/protocol.py`), because nothing but this machine reaches 127.0.0.1.
"""

from __future__ import annotations

import time
import uuid
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from mappings.formats.faults import SigningFault
from mappings.formats.values import Secret
from signing import certificates
from signing.agent import protocol
from signing.algorithms import one_of
from signing.contract import ToSign
from signing.csc import require_secure
from signing.faults import (
    AgentRefused,
    KeyMisconfigured,
    KeyUnavailable,
    KeyUnsuitable,
    NotAuthorised,
    NotWanted,
    SigningStopped,
)

T = TypeVar("T", bound=msgspec.Struct)


@dataclass(frozen=True)
class Settings:
    url: str
    """Of the agent: `http://127.0.0.1:47823`."""
    token: Secret
    """Given by the agent at pairing; good until the agent ends."""
    wait: timedelta = timedelta(minutes=30)
    """How long the signer may take; then the batch is stopped."""


def pair(url: str, code: str) -> Secret:
    """Exchange the code on the agent's page for a token; raise NotAuthorised when it is wrong or old, KeyUnavailable."""
    request = protocol.Pairing(protocol=1, code=code)
    return Secret(_Connection(url, "").send("POST", "/v1/pairings", protocol.Paired, request).token)


class Key:
    """Ask the signer at their workstation; every call is a batch that waits for a person."""

    chain: tuple[x509.Certificate, ...]
    algorithms: tuple[str, ...]
    device: str

    def __init__(self, settings: Settings) -> None:
        self._connection = _Connection(settings.url, settings.token)
        self._wait_s = settings.wait.total_seconds()
        signer = self._connection.send("GET", "/v1/signer", protocol.Signer)
        try:
            chain = [x509.load_der_x509_certificate(der) for der in signer.chain]
        except certificates.UNREADABLE as problem:
            raise KeyUnsuitable("agent", "certificate cannot be read") from problem
        if not chain or not signer.algorithms:
            raise KeyUnsuitable("agent", "no certificate")
        self._public_key = certificates.public_key(chain[0])
        self.chain = certificates.order_chain(chain[0], chain[1:])
        self.algorithms = signer.algorithms
        self.device = signer.device

    def sign(self, data: bytes, algorithm: str = "") -> bytes:
        """Return the signature over `data`, once the signer has given the PIN."""
        chosen = one_of(self.algorithms, algorithm)
        outcome = next(self.sign_hashes([ToSign(chosen.digest(data))], algorithm))
        if isinstance(outcome, SigningFault):
            raise outcome
        return outcome

    def sign_hashes(self, documents: Sequence[ToSign], algorithm: str = "") -> Iterator[bytes | SigningFault]:
        """Send one batch and give its signatures; a paper the signer left out is NotWanted in its place.

        A pulled token or a wrong PIN is between the signer and the agent: the batch waits. Raises SigningStopped when nobody
        signed in time, KeyUnavailable when the agent is gone.
        """
        chosen = one_of(self.algorithms, algorithm, (document.digest for document in documents))
        papers = tuple(
            protocol.Paper(id=str(number), digest=document.digest, title=document.title, html=document.html())
            for number, document in enumerate(documents)
        )
        if not papers:
            return iter(())
        certificate = self.chain[0].fingerprint(hashes.SHA256()).hex()
        batch = protocol.Batch(
            protocol=1, id=uuid.uuid4().hex, algorithm=chosen.name, certificate=certificate, documents=papers
        )
        return self._results(batch, [(chosen.name, document.digest) for document in documents])

    def require_unattended(self) -> None:
        """Raise KeyMisconfigured: a person reads every paper."""
        raise KeyMisconfigured("kind", "agent asks a person at every batch")

    def __repr__(self) -> str:
        return f"<agent key, certificate {self.chain[0].serial_number:x}>"

    def _results(self, batch: protocol.Batch, wanted: list[tuple[str, bytes]]) -> Iterator[bytes | SigningFault]:
        until = time.monotonic() + self._wait_s
        address = f"/v1/batches/{batch.id}"
        state = self._connection.send("POST", "/v1/batches", protocol.BatchState, batch)
        given = 0
        try:
            while True:
                while given < len(wanted) and (document := state.documents[given]).state != "waiting":
                    if document.state == "signed":
                        yield self._checked(*wanted[given], document.signature)
                        given += 1
                    elif state.state == "done":
                        yield NotWanted("batch", "left out by the signer")
                        given += 1
                    else:
                        break  # the signer may still think better of it
                if given == len(wanted):
                    return
                if state.state == "stopped":
                    raise SigningStopped("batch", "stopped")
                left = until - time.monotonic()
                if left <= 0:
                    raise SigningStopped("batch", "nobody signed in time")
                wait = max(1, int(min(left, protocol.MAXIMUM_WAIT_S)))
                state = self._connection.send(
                    "GET", f"{address}?after={state.version}&wait={wait}", protocol.BatchState
                )
        finally:
            self._connection.drop(address)

    def _checked(self, algorithm: str, digest: bytes, signature: bytes) -> bytes:
        if not one_of(self.algorithms, algorithm).holds_digest(self._public_key, signature, digest):
            raise KeyUnsuitable("agent", "signature and certificate do not belong together")
        return signature


class _Connection:
    def __init__(self, url: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        timeout = httpx.Timeout(10.0, read=protocol.MAXIMUM_WAIT_S + 10.0)
        self._client = httpx.Client(
            base_url=require_secure("url", url), headers=headers, timeout=timeout, trust_env=False
        )
        weakref.finalize(self, self._client.close)

    def send(self, method: str, path: str, wanted: type[T], body: msgspec.Struct | None = None) -> T:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = self._client.request(method, path, content=content, headers=headers)
        except httpx.TransportError as problem:
            raise KeyUnavailable("agent", type(problem).__name__) from problem
        if answer.status_code >= 500:
            raise KeyUnavailable("agent", f"HTTP {answer.status_code}")
        if answer.status_code == 401:
            raise NotAuthorised("token", "not paired")
        try:
            if not answer.is_success:
                problem_said = msgspec.json.decode(answer.content, type=protocol.Problem)
                raise AgentRefused(problem_said.where, problem_said.detail)
            return msgspec.json.decode(answer.content, type=wanted)
        except msgspec.DecodeError as problem:
            raise AgentRefused("answer", f"HTTP {answer.status_code}, not of the protocol") from problem

    def drop(self, address: str) -> None:
        """Stop and forget a batch, as well as may be."""
        try:
            self._client.delete(address)
        except httpx.TransportError:
            pass  # gone, and the batch with it
