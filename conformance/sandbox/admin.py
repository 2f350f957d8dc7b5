"""Let tests and people see what arrived and set fault plans, on a port of its own. No log-in: bind it to this machine."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Response

from conformance.sandbox.accounts import gln_is_valid
from conformance.sandbox.authority import Authority
from conformance.sandbox.authority_admin import authority_routes
from conformance.sandbox.bundle_signatures import check_bundle
from conformance.sandbox.faults import DESTINATIONS, FaultPlan, Rule
from conformance.sandbox.insurance_portal import InsurancePortal
from conformance.sandbox.portal.admin import portal_routes
from conformance.sandbox.portal.pages import portal_pages
from conformance.sandbox.records import Record, Records, Verdict
from conformance.sandbox.remote_admin import remote_routes
from conformance.sandbox.remote_credentials import RemoteCredentials
from conformance.sandbox.signatures import NotSignedError, NotXmlError, SignatureError, Trust, check_whole, parse


@dataclass(frozen=True)
class TransportCertificate:
    """The certificate that a sender's envelopes are checked with."""

    gln: str
    pem: str


@dataclass(frozen=True)
class Controls:
    """What the admin interface acts on."""

    records: Records
    faults: FaultPlan
    ca_pem_file: Path
    addresses: Callable[[], dict[str, str]]
    settle: Callable[[], Awaitable[None]]
    """Wait until every port is open or closed as the plan says."""
    register: Callable[[str, bytes], None]
    """Take a sender's PEM; raises ValueError."""
    authority: Authority
    credentials: RemoteCredentials
    portal: InsurancePortal


def admin_app(controls: Controls) -> FastAPI:
    """Build the admin application."""
    app = FastAPI(title="Sandbox", openapi_url="/_sandbox/openapi.json", docs_url=None, redoc_url=None)
    records, faults = controls.records, controls.faults
    app.include_router(authority_routes(controls.authority))
    app.include_router(remote_routes(controls.authority, controls.credentials))
    app.include_router(portal_routes(controls.portal))
    app.include_router(portal_pages(controls.portal, controls.records))

    @app.get("/_sandbox/health")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "addresses": controls.addresses()}

    @app.get("/_sandbox/records")
    async def list_records(destination: str | None = None, verdict: Verdict | None = None) -> list[dict[str, Any]]:
        return [records.describe(each) for each in records.all(destination, verdict)]

    @app.get("/_sandbox/records/{n}/body")
    async def record_body(n: int) -> Response:
        found = records.all()
        if not 1 <= n <= len(found):
            raise HTTPException(404)
        return Response(records.body(found[n - 1]), media_type="application/octet-stream")

    @app.get("/_sandbox/summary")
    async def summary() -> dict[str, Any]:
        return await asyncio.to_thread(summarise, controls)

    @app.get("/_sandbox/faults")
    async def list_faults() -> list[dict[str, Any]]:
        return faults.state()

    @app.post("/_sandbox/faults")
    async def add_faults(rules: list[Rule]) -> list[dict[str, Any]]:
        faults.add(*rules)
        await controls.settle()
        return faults.state()

    @app.delete("/_sandbox/faults", status_code=204)
    async def clear_faults() -> None:
        faults.clear()
        await controls.settle()

    @app.post("/_sandbox/reset", status_code=204)
    async def reset() -> None:
        faults.clear()
        records.reset()
        controls.portal.reset()
        await controls.settle()

    @app.post("/_sandbox/certificates", status_code=204)
    async def register(certificate: TransportCertificate) -> None:
        if not gln_is_valid(certificate.gln):
            raise HTTPException(422, "not a GLN")
        try:
            controls.register(certificate.gln, certificate.pem.encode())
        except ValueError as error:
            raise HTTPException(422, "not a PEM certificate") from error

    return app


def summarise(controls: Controls) -> dict[str, Any]:
    """Count per destination, and verify every accepted paper again from the bytes kept.

    `changed` lists the numbers of records whose paper no longer verifies; an honest sandbox has none.
    """
    return {name: _summary(controls, name) for name in DESTINATIONS}


def _summary(controls: Controls, destination: str) -> dict[str, Any]:
    accepted = controls.records.all(destination, Verdict.ACCEPTED)
    changed = [each.n for each in accepted if not _verifies(controls, each)]
    return controls.records.counts(destination) | {"verified": len(accepted) - len(changed), "changed": changed}


def _verifies(controls: Controls, record: Record) -> bool:
    body, trust = controls.records.body(record), Trust(controls.ca_pem_file)  # certificates were judged at arrival
    if hashlib.sha256(body).hexdigest() != record.sha256:
        return False
    try:
        if record.destination == "insurance_portal":
            return controls.portal.counter.verifies(record)
        if record.destination == "fhir_rest":
            check_bundle(body, trust)
        else:
            check_whole(parse(body), trust)
    except (NotXmlError, NotSignedError, SignatureError):
        return False
    return True
