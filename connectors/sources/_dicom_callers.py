"""Who may call: AE titles, each from anywhere, from one address or from one network.

An AE title is no secret and proves nothing; what proves who calls is the network, or a certificate (`tls = "mtls"`).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network

from connectors.sources._listening import is_within

_TITLE = re.compile(r"[\x21-\x5b\x5d-\x7e](?:[\x20-\x5b\x5d-\x7e]{0,14}[\x21-\x5b\x5d-\x7e])?")
"""PS3.5 §6.2, AE: sixteen characters at most, no backslash, no control characters; spaces around it mean nothing."""


def checked_title(text: str) -> str:
    """Give an AE title; raise `ValueError` for what is none."""
    if not _TITLE.fullmatch(text):
        raise ValueError(f"{text!r} is no AE title: 1 to 16 characters of ASCII, without backslash")
    return text


class Callers:
    """The list of a channel, written `"CT1"`, `"CT1@10.0.0.7"` or `"CT1@10.0.0.0/24"`; raises `ValueError` for other texts."""

    def __init__(self, entries: tuple[str, ...], anyone: bool) -> None:
        self._anyone = anyone
        self._networks: dict[str, list[IPv4Network | IPv6Network | None]] = {}
        for entry in entries:
            title, at, place = entry.rpartition("@")
            network = ip_network(place, strict=False) if at else None
            self._networks.setdefault(checked_title(title if at else place), []).append(network)

    def include(self, title: str, address: str) -> bool:
        """Tell whether this AE title may call from this address."""
        if self._anyone:
            return True
        networks = self._networks.get(title.strip(), ())
        return any(network is None or is_within(address, network) for network in networks)
