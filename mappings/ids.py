"""Make resource ids from business identifiers: the same input gives the same resource, whichever room makes it."""

from __future__ import annotations

from hashlib import sha256


def resource_id(resource_type: str, system: str, value: str) -> str:
    """Give the id of a resource known by `system` and `value`: 32 hexadecimal digits.

    The first half of SHA-256 over `resourceType|system|value`, so every room that knows the identifier finds the resource.
    """
    return sha256(f"{resource_type}|{system}|{value}".encode()).hexdigest()[:32]
