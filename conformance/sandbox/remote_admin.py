"""Let tests and people make the remote signer's credentials, read the codes it sends, lock and unlock, on the admin port."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from conformance.sandbox.authority import Authority
from conformance.sandbox.authority_admin import Days, Subject
from conformance.sandbox.holders import KeyKind
from conformance.sandbox.remote_credentials import WRONG_TRIES, RemoteCredential, RemoteCredentials, Terms


class CredentialWish(BaseModel):
    """A credential wanted; see `Terms`."""

    model_config = ConfigDict(extra="forbid")

    subject: Subject
    user: str
    pin: Annotated[str, Field(min_length=1)]
    one_time_code: bool = True
    scal: Literal["1", "2"] = "2"
    multisign: Annotated[int, Field(ge=1)] = 50
    key: KeyKind = "rsa2048"
    days: Days = 365
    identifier: str = ""

    def terms(self) -> Terms:
        """Return the conditions."""
        return Terms(self.user, self.pin, self.one_time_code, self.scal, self.multisign)


def remote_routes(authority: Authority, credentials: RemoteCredentials) -> APIRouter:
    """Build the routes below `/_sandbox/csc`."""
    routes = APIRouter(prefix="/_sandbox/csc")

    def found(identifier: str) -> RemoteCredential:
        if identifier not in credentials.all:
            raise HTTPException(404, "no such credential")
        return credentials.all[identifier]

    def shown(credential: RemoteCredential) -> dict[str, Any]:
        return {
            "credentialID": credential.identifier,
            "user": credential.terms.user,
            "serial": f"{credential.held.certificate.serial_number:X}",
            "pem": credential.held.pem.decode(),
            "state": credentials.state(credential),
            "scal": credential.terms.scal,
            "multisign": credential.terms.multisign,
            "locked": credential.locked,
            "otp": credential.one_time_code or None,
        }

    @routes.get("/credentials")
    async def every() -> list[dict[str, Any]]:
        return [shown(each) for each in credentials.all.values()]

    @routes.post("/credentials", status_code=201)
    async def add(wish: CredentialWish) -> dict[str, Any]:
        if wish.identifier in credentials.all:
            raise HTTPException(409, "there is one already")
        validity = authority.validity(wish.days)
        holder, terms = wish.subject.holder(), wish.terms()
        return shown(credentials.add(holder, terms, key=wish.key, validity=validity, identifier=wish.identifier))

    @routes.get("/credentials/{identifier}")
    async def one(identifier: str) -> dict[str, Any]:
        return shown(found(identifier))

    @routes.post("/credentials/{identifier}/lock")
    async def lock(identifier: str) -> dict[str, Any]:
        found(identifier).wrong_tries = WRONG_TRIES
        return shown(found(identifier))

    @routes.post("/credentials/{identifier}/unlock")
    async def unlock(identifier: str) -> dict[str, Any]:
        credentials.unlock(found(identifier))
        return shown(found(identifier))

    @routes.post("/forget", status_code=204)
    async def forget() -> None:
        credentials.forget_all()

    return routes
