"""What travels between the gateway's page and the agent: JSON, version 1.

Bytes are base64. A field the agent does not know is refused: what it does not understand it does not sign.

| request                               | answer                                                              |
|---------------------------------------|---------------------------------------------------------------------|
| `POST /v1/pairings` `Pairing`         | `Paired`; the code stands on the agent's page and is good once      |
| `GET /v1/signer`                      | `Signer`                                                            |
| `POST /v1/batches` `Batch`            | `BatchState`; the same batch again changes nothing                  |
| `GET /v1/batches/ID?after=N&wait=S`   | `BatchState`, as soon as its version is above N, at most S seconds  |
| `POST /v1/batches/ID/stop`            | `BatchState`; nothing more is signed                                |
| `DELETE /v1/batches/ID`               | 204; stopped and forgotten                                          |

All but the first carry `Authorization: Bearer TOKEN`. A no is `Problem`: 400 for what is not understood, 401 without a good
token, 403 for a stranger, 404, 409 for another batch of the same id, 503 while the token is away.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

VERSION = 1
MAXIMUM_BODY = 64 * 1024 * 1024
MAXIMUM_WAIT_S = 25.0

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{1,80}$")]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=64)]


class Paper(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One document to sign."""

    id: Name
    digest: Digest
    title: Annotated[str, msgspec.Meta(max_length=300)] = ""
    html: Annotated[str, msgspec.Meta(max_length=4_000_000)] = ""


class Batch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Papers to sign under one PIN."""

    protocol: Literal[1]
    id: Name
    algorithm: Annotated[str, msgspec.Meta(max_length=10)]
    certificate: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    """SHA-256 of the signer's certificate in DER: no other token signs these."""
    documents: Annotated[tuple[Paper, ...], msgspec.Meta(min_length=1, max_length=1000)]


class DocumentState(msgspec.Struct, frozen=True):
    """What became of one document. Until the batch is done the signer may still sign one that is left out."""

    id: str
    state: Literal["waiting", "signed", "left out"]
    signature: bytes = b""


class BatchState(msgspec.Struct, frozen=True):
    """What became of a batch. `fault` is the code of what held up the last try, 0 when nothing did."""

    protocol: int
    id: str
    version: int
    state: str
    """waiting for the signer, signing, done, or stopped."""
    fault: int
    documents: tuple[DocumentState, ...]


class Signer(msgspec.Struct, frozen=True):
    """Whose token is plugged in."""

    protocol: int
    chain: tuple[bytes, ...]
    """DER, the signer's first."""
    algorithms: tuple[str, ...]
    device: str = ""
    """The serial number that the token states."""


class Pairing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Ask for a token with the code that the signer reads on the agent's page."""

    protocol: Literal[1]
    code: str


class Paired(msgspec.Struct, frozen=True):
    """Good until the agent ends, and for the page that asked alone."""

    protocol: int
    token: str


class Problem(msgspec.Struct, frozen=True):
    """Why not: the code of a fault."""

    protocol: int
    code: int
    where: str
    detail: str
