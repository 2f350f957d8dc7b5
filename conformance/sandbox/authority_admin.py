"""Let tests and people issue, renew, suspend and revoke certificates of the sandbox, on the admin port."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Annotated, Any, Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, HTTPException
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from conformance.sandbox.authority import (
    Authority,
    Entry,
    LifeCycleError,
    UnknownCertificateError,
    describe,
)
from conformance.sandbox.holders import Holder, KeyKind, PublicKey

MOST_DAYS = 36_500
Days = Annotated[int, Field(ge=1, le=MOST_DAYS)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Subject(_Body):
    """Whom the certificate is to name; see `Holder`."""

    common_name: Annotated[str, Field(min_length=1, max_length=64)]
    title: str = ""
    organisation: str = ""
    unit: str = ""
    place: str = ""
    identifier: str = ""
    identifier_in: Literal["UID", "serialNumber"] = "UID"

    def holder(self) -> Holder:
        """Return the same without the form's checks."""
        return Holder(**self.model_dump())


class Wish(_Body):
    """A certificate wanted: a new key under `password`, or for the key of a PKCS#10 request."""

    subject: Subject | None = None
    """None: the subject of the request."""
    key: KeyKind = "rsa2048"
    password: str = ""
    """Of the PKCS#12 file handed back."""
    csr: str = ""
    """PEM; then no key is made."""
    not_before: AwareDatetime | None = None
    days: Days = 365


class Renewal(_Body):
    """How long the new certificate is to hold."""

    days: Days = 365


class Suspension(_Body):
    """From when; None: now."""

    at: AwareDatetime | None = None


class Withdrawal(_Body):
    """Why and from when; None: now."""

    reason: str = "unspecified"
    at: AwareDatetime | None = None
    invalid_since: AwareDatetime | None = None


def authority_routes(authority: Authority) -> APIRouter:
    """Build the routes below `/_sandbox/authority`."""
    routes = APIRouter(prefix="/_sandbox/authority/certificates")

    def shown(entry: Entry) -> dict[str, Any]:
        return describe(entry, authority.clock())

    def changed(serial: str, change: Callable[[int], object]) -> dict[str, Any]:
        number = _number(serial)
        try:
            change(number)
            return shown(authority.find(number))
        except UnknownCertificateError as error:
            raise HTTPException(404, "no such certificate") from error
        except LifeCycleError as error:
            raise HTTPException(409, str(error)) from error

    @routes.get("")
    async def register() -> list[dict[str, Any]]:
        return [shown(entry) for entry in authority.entries.values()]

    @routes.post("", status_code=201)
    async def issue(wish: Wish) -> dict[str, Any]:
        return _issue(authority, wish)

    @routes.get("/{serial}")
    async def one(serial: str) -> dict[str, Any]:
        return changed(serial, lambda _: None)

    @routes.post("/{serial}/renew", status_code=201)
    async def renew(serial: str, renewal: Renewal) -> dict[str, Any]:
        made: list[x509.Certificate] = []
        changed(serial, lambda number: made.append(authority.renew(number, authority.validity(renewal.days))))
        return shown(authority.find(made[0].serial_number))

    @routes.post("/{serial}/suspend")
    async def suspend(serial: str, suspension: Suspension) -> dict[str, Any]:
        return changed(serial, lambda number: authority.suspend(number, suspension.at))

    @routes.post("/{serial}/resume")
    async def resume(serial: str) -> dict[str, Any]:
        return changed(serial, authority.resume)

    @routes.post("/{serial}/revoke")
    async def revoke(serial: str, why: Withdrawal) -> dict[str, Any]:
        return changed(serial, lambda number: authority.revoke(number, why.reason, why.at, why.invalid_since))

    return routes


def _issue(authority: Authority, wish: Wish) -> dict[str, Any]:
    validity = authority.validity(wish.days, wish.not_before)
    chain = [authority.issuing.certificate, authority.root.certificate]
    above = "".join(each.public_bytes(Encoding.PEM).decode() for each in chain)
    if wish.csr:
        request = _request(wish.csr)
        subject = wish.subject.holder().subject() if wish.subject else request.subject
        certificate = authority.certify(subject, _key(request), validity)
        return {**describe(authority.find(certificate.serial_number), authority.clock()), "chain": above}
    if wish.subject is None or not wish.password:
        raise HTTPException(422, "subject and password, or a csr")
    made = authority.issue(wish.subject.holder(), wish.key, validity)
    file = base64.b64encode(made.pkcs12(wish.password)).decode()
    entry = authority.find(made.certificate.serial_number)
    return {**describe(entry, authority.clock()), "chain": above, "pkcs12": file}


def _request(pem: str) -> x509.CertificateSigningRequest:
    try:
        request = x509.load_pem_x509_csr(pem.encode())
        holds = request.is_signature_valid
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise HTTPException(422, "not a PKCS#10 request") from error
    if not holds:
        raise HTTPException(422, "the request is not signed with its own key")
    return request


def _key(request: x509.CertificateSigningRequest) -> PublicKey:
    key = request.public_key()
    if not isinstance(key, PublicKey):
        raise HTTPException(422, "neither an RSA nor an elliptic key")
    return key


def _number(serial: str) -> int:
    try:
        return int(serial, 16)
    except ValueError as error:
        raise HTTPException(404, "no such certificate") from error
