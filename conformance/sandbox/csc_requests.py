"""Read what clients of the remote signer send, and make the answers to what cannot be read.

Standard: CSC API v2.0 §10.2, and the error cases of §11
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any

from conformance.sandbox.codes import CSC_ERRORS
from conformance.sandbox.remote_credentials import RemoteCredential
from conformance.sandbox.signing_algorithms import read_hash
from conformance.sandbox.wire import Received, json_reply

Body = dict[str, Any]


class Answer(Exception):
    """Raised with the answer of a call that fails."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(error)
        self.reply = json_reply(status, {"error": error, "error_description": description})


def failure(code: str) -> Answer:
    """Make the answer of an error that the fault plan knows by this name."""
    return Answer(*CSC_ERRORS[code])


def invalid(description: str) -> Answer:
    """Make the answer to a request that lacks something or holds something wrong."""
    return Answer(400, "invalid_request", description)


def read_body(request: Received) -> Body:
    """Read the JSON object; none at all is an empty one. Raises Answer."""
    try:
        body = json.loads(request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise invalid("The body is not JSON") from error
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object")
    return body


def read_basic(request: Received) -> tuple[str, str]:
    """Read user and password of HTTP Basic. Raises Answer."""
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    try:
        given = base64.b64decode(value.strip(), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Answer(401, "invalid_request", "Malformed authentication parameter") from error
    if scheme.lower() != "basic":
        raise Answer(401, "invalid_request", "Malformed authentication parameter")
    user, colon, password = given.partition(":")
    if not colon:
        raise invalid("Malformed username-password")
    return user, password


def read_text(body: Body, name: str) -> str:
    """Read a text that must be there. Raises Answer."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise invalid(f"Missing (or invalid type) string parameter {name}")
    return value


def read_digests(body: Body) -> list[bytes]:
    """Read `hashes`. Raises Answer."""
    given = body.get("hashes")
    if not isinstance(given, list):
        raise invalid("Missing (or invalid type) array parameter hashes")
    if not given:
        raise invalid("Empty hash array")
    try:
        return [base64.b64decode(one, validate=True) for one in given]
    except (binascii.Error, ValueError, TypeError) as error:
        raise invalid("Invalid Base64 hash string parameter") from error


def check_lengths(digests: list[bytes], size: int) -> None:
    """Raise Answer when a hash has not `size` bytes."""
    if any(len(one) != size for one in digests):
        raise invalid("Invalid digest value length")


def read_bound_digests(credential: RemoteCredential, body: Body) -> frozenset[bytes] | None:
    """Read the hashes that a SAD is to hold for; a credential of SCAL 1 may do without. Raises Answer."""
    if credential.terms.scal == "1" and "hashes" not in body:
        return None
    digests = read_digests(body)
    check_lengths(digests, read_hash(body).digest_size)
    return frozenset(digests)


def read_authentication_data(body: Body) -> dict[str, str]:
    """Read `authData` by identifier. Raises Answer."""
    given = body.get("authData")
    if not isinstance(given, list):
        raise invalid("Missing (or invalid type) array parameter authData")
    found = {}
    for one in given:
        if not isinstance(one, dict) or not isinstance(one.get("id"), str) or not isinstance(one.get("value"), str):
            raise failure("invalid_authentication_data")
        found[one["id"]] = one["value"]
    return found
