"""Try what configuration promises: addresses can be bound, the key opens, the trust files are certificates."""

from __future__ import annotations

import socket
from collections.abc import Iterator

from gateway.faults import AddressTaken, ConfigFault, SettingInvalid
from gateway.settings import Plan
from mappings.formats.faults import SigningFault
from mappings.formats.values import parse_address
from signing.certificates import load_roots
from signing.keys import open_key


def problems(plan: Plan) -> Iterator[ConfigFault]:
    """Yield what a valid plan would still fail on at start."""
    addresses = {f"channel {c.settings.name}": getattr(c.source.settings, "listen", "") for c in plan.channels}
    addresses["node.health"] = plan.node.health
    taken: dict[tuple[str, int], str] = {}
    for owner, address in addresses.items():
        if not address:
            continue
        host, port = parse_address(address)
        if port and (host, port) in taken:
            yield AddressTaken(owner, f"{address} is also {taken[host, port]}'s")
            continue
        taken[host, port] = owner
        try:
            with socket.create_server((host, port), reuse_port=False):
                pass
        except OSError as error:
            yield AddressTaken(owner, f"{address}: {error.strerror}")
    try:
        open_key(plan.signing.kind, plan.signing.options)
    except SigningFault as fault:
        yield SettingInvalid("signing", str(fault))
    for pem in plan.signing.trust:
        try:
            load_roots([pem])
        except (SigningFault, ValueError) as error:
            yield SettingInvalid("signing.trust", type(error).__name__)
