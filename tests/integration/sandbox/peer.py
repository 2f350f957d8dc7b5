"""What a sender needs to try the sandbox: papers signed by other people's code, and the three clients in a few lines."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import msgspec
import rfc8785
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from joserfc import jws
from joserfc.jwk import RSAKey
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from conformance.sandbox.bundle_signatures import WRITTEN
from conformance.sandbox.ca import Identity
from conformance.sandbox.server import FACILITY, GLN, USER, Sandbox, Settings, default_accounts

PASSWORD = "mật-khẩu thử"
PASSWORD_MD5 = hashlib.md5(PASSWORD.encode()).hexdigest().upper()
ACCOUNTS = default_accounts(PASSWORD)
SETTINGS = Settings(accounts=ACCOUNTS)


SYSTEM = "https://lienthong.vn/fhir/sid/document"
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Clock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def sign(xml: str, signer: Identity, place: str = ".", references: list[str] | None = None) -> bytes:
    """Sign the whole document, enveloped, or the elements referred to; `place` takes the signature."""
    root = etree.fromstring(xml)
    parent = root.find(place)
    assert parent is not None
    etree.SubElement(parent, "{http://www.w3.org/2000/09/xmldsig#}Signature", Id="placeholder")
    made = XMLSigner(signature_algorithm=SignatureMethod.RSA_SHA256, digest_algorithm=DigestAlgorithm.SHA256)
    signed = made.sign(root, key=signer.key_pem, cert=[signer.certificate], reference_uri=references)
    return etree.tostring(signed)


def cda(extension: str = "1", text: str = "Giấy ra viện") -> str:
    identifier = f'<id root="2.25.1" extension="{extension}"/>'
    return f'<ClinicalDocument xmlns="urn:hl7-org:v3">{identifier}<title>{text}</title></ClinicalDocument>'


def bundle(value: str = "1", **more: Any) -> dict[str, Any]:
    """Make a small FHIR document whose numbers have digits that JSON readers lose."""
    composition = {"resourceType": "Composition", "id": "c", "title": "Giấy ra viện"}
    observation = {"resourceType": "Observation", "id": "o", "valueQuantity": {"value": Decimal("4.50")}}
    return {
        "resourceType": "Bundle",
        "type": "document",
        "identifier": {"system": SYSTEM, "value": value},
        "timestamp": "2026-11-21T08:00:00+07:00",
        "entry": [
            {"fullUrl": f"https://h/{one['resourceType']}/1", "resource": one} for one in (composition, observation)
        ],
        **more,
    }


def write(resource: dict[str, Any]) -> bytes:
    return _ENCODER.encode(resource)


def sign_bundle(resource: dict[str, Any], signer: Identity, **header: Any) -> bytes:
    """Sign a FHIR document with joserfc."""
    about = {
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5"}],
        "when": "2026-11-21T01:00:00Z",
        "who": {"display": "Bệnh viện"},
        "sigFormat": "application/jose",
    }
    plain = json.loads(write(resource))
    marked = json.loads(write({**resource, "signature": about}), parse_float="#{}#".format)
    written = rfc8785.dumps(marked).replace(b'"#', b"").replace(b'#"', b"")
    digest = base64.urlsafe_b64encode(hashlib.sha256(written).digest()).rstrip(b"=").decode()
    der = signer.certificate.public_bytes(serialization.Encoding.DER)
    protected = {
        "alg": "RS256",
        "sigT": about["when"],
        "x5c": [base64.b64encode(der).decode()],
        WRITTEN: digest,
        **header,
    }
    registry = jws.JWSRegistry(algorithms=["RS256", "PS256"], strict_check_header=False)
    compact = jws.serialize_compact(
        protected, rfc8785.dumps(plain), RSAKey.import_key(signer.key_pem), registry=registry
    )
    head, _, seal = compact.split(".")
    data = base64.b64encode(f"{head}..{seal}".encode()).decode()
    return write({**resource, "signature": {**about, "data": data}})


def table(xml: str) -> str:
    return base64.b64encode(f'<?xml version="1.0" encoding="utf-8"?>{xml}'.encode()).decode()


def insurance_file(
    *,
    link: str = "LK1",
    count: str = "1",
    kind: str = "XML1",
    content: str | None = None,
    facility: str = FACILITY,
    sex: str = "1",
    day: str = "20261121",
    root: str = "GIAMDINHHS",
) -> str:
    inner = (
        table(f"<TONG_HOP><MA_LK>{link}</MA_LK><GIOI_TINH>{sex}</GIOI_TINH></TONG_HOP>") if content is None else content
    )
    return (
        f"<{root}><THONGTINDONVI><MACSKCB>{facility}</MACSKCB></THONGTINDONVI><THONGTINHOSO><NGAYLAP>{day}</NGAYLAP>"
        f"<SOLUONGHOSO>{count}</SOLUONGHOSO><DANHSACHHOSO><HOSO><FILEHOSO><LOAIHOSO>{kind}</LOAIHOSO>"
        f"<NOIDUNGFILE>{inner}</NOIDUNGFILE></FILEHOSO></HOSO></DANHSACHHOSO></THONGTINHOSO><CHUKYDONVI/></{root}>"
    )


class PortalClient:
    """Log in once, send files; `send` returns the JSON of the answer."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self._url = sandbox.portal_url
        self._http = http
        self.key: dict[str, str] = {}

    async def login(self, password_md5: str = PASSWORD_MD5) -> dict[str, Any]:
        form = {"username": USER, "password": password_md5}
        answer = (await self._http.post(self._url + "/api/token/take", data=form)).json()
        self.key = answer["APIKey"] or {}
        return dict(answer)

    async def post(self, file: bytes, **form: str) -> httpx.Response:
        fields = {
            "username": USER,
            "loaiHoSo": "130",
            "maTinh": FACILITY[:2],
            "maCSKCB": FACILITY,
            "fileHSBase64": base64.b64encode(file).decode(),
        }
        headers = {
            "accessToken": self.key.get("access_token", ""),
            "tokenId": self.key.get("id_token", ""),
            "passwordHash": PASSWORD_MD5,
        }
        return await self._http.post(self._url + "/api/qd130/guiHoSoXmlQD3176", data=fields | form, headers=headers)

    async def send(self, file: bytes, **form: str) -> dict[str, str]:
        response = await self.post(file, **form)
        assert response.status_code == 200
        return dict(response.json())


class AxisClient:
    """Log in once, push envelopes."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient, transport: Identity) -> None:
        self._url = sandbox.axis_url
        self._http = http
        self._transport = transport
        self.token = ""

    async def login(self, password: str = PASSWORD) -> httpx.Response:
        response = await self._http.post(self._url + "/api/auth/login", json={"username": USER, "password": password})
        if response.status_code == 200:
            self.token = response.json()["data"]["token"]
        return response

    @staticmethod
    def msg_id() -> str:
        return f"{GLN}261121{uuid.uuid4().hex}"

    def envelope(self, paper: bytes, *, signed: bool = True, wrapped: bool = False, **header: Any) -> bytes:
        facts: dict[str, Any] = {
            "version": "1.0.6",
            "sender_id": GLN,
            "receiver_id": "TDLBYT",
            "txn_type": "sync_document",
            "msg_id": self.msg_id(),
            "msg_type": 101,
            "data_type": "xml/base64",
            "send_datetime": 1795228800000,
        }
        head = json.dumps({**facts, **header}, separators=(",", ":"))
        encoded = base64.b64encode(paper).decode()
        data = json.dumps({"file_content": encoded}, separators=(",", ":")) if wrapped else json.dumps(encoded)
        hashed = [hashlib.sha256(text.encode()).hexdigest().upper() for text in (head, data if wrapped else encoded)]
        signature = self._transport.key.sign(".".join(hashed).encode(), padding.PKCS1v15(), hashes.SHA256())
        seal = base64.b64encode(signature).decode() if signed else ""
        return f'{{"header":{head},"data":{data},"signature":"{seal}"}}'.encode()

    async def push(self, body: bytes, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.token}", "service-type": "100", "Content-Type": "application/json"}
        return await self._http.post(self._url + "/api/platform/data-sync/push", content=body, headers=given | headers)

    async def state(self, msg_id: str, sender: str = GLN) -> httpx.Response:
        return await self._http.get(
            self._url + "/api/kham-suc-khoe/doi-soat-byt/trang-thai",
            params={"sender_id": sender, "msg_id": msg_id},
            headers={"Authorization": f"Bearer {self.token}"},
        )


class CoordinationClient:
    """Log in once, send documents."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self._url = sandbox.coordination_url
        self._http = http
        self.token = ""

    async def login(self, secret: str = PASSWORD) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": secret}
        response = await self._http.post(self._url + "/v1/token", data=form)
        if response.status_code == 200:
            self.token = response.json()["access_token"]
        return response

    async def send(self, body: bytes, key: str, **headers: str) -> httpx.Response:
        given = {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": key,
            "Content-Type": "application/xml",
            "X-Document-Type": "discharge_paper",
            "X-Sender": FACILITY,
            "Digest": "sha-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode(),
        }
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(self._url + "/v1/documents", content=body, headers=given | changed)

    async def find(self, key: str) -> httpx.Response:
        return await self._http.get(
            f"{self._url}/v1/documents/{key}", headers={"Authorization": f"Bearer {self.token}"}
        )


class FhirClient:
    """Log in once, create and look for Bundles."""

    def __init__(self, sandbox: Sandbox, http: httpx.AsyncClient) -> None:
        self._url = sandbox.fhir_url
        self._http = http
        self.token = ""

    async def login(self, secret: str = PASSWORD) -> httpx.Response:
        form = {"grant_type": "client_credentials", "client_id": USER, "client_secret": secret}
        response = await self._http.post(self._url + "/token", data=form)
        if response.status_code == 200:
            self.token = response.json()["access_token"]
        return response

    async def create(self, body: bytes, **headers: str) -> httpx.Response:
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/fhir+json"}
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._http.post(self._url + "/Bundle", content=body, headers=given | changed)

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self._http.get(self._url + path, headers={"Authorization": f"Bearer {self.token}"} | headers)
