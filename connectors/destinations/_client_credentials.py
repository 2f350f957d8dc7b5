"""Take access tokens by the client's own credentials (OAuth 2.0).

Standard: RFC 6749 §4.4
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from connectors.destinations._http import HttpPeer, check_http_settings, login_trouble, plain_code
from connectors.destinations._login import Token
from connectors.faults import LoginRefused
from mappings.formats.values import Secret

_DEFAULT_LIFE = timedelta(minutes=5)


async def take_token(peer: HttpPeer, client_id: str, client_secret: Secret, scope: str) -> Token:
    """Ask for a token at the address of `peer`; raises LoginRefused, ServerTrouble, Throttled, InterfaceClosed, Unreachable."""
    form = {"grant_type": "client_credentials", **({"scope": scope} if scope else {})}
    account = f"{quote(client_id, safe='')}:{quote(str(client_secret), safe='')}"
    reply = await peer.exchange(
        "POST",
        "",
        content=urlencode(form).encode(),
        headers={
            "Content-Type": "application/x-www-form-urlencoded",
            "Authorization": f"Basic {base64.b64encode(account.encode()).decode()}",
        },
        carries_document=False,
    )
    answer = reply.json_object()
    access = answer.get("access_token")
    if reply.status == 200 and isinstance(access, str) and access:
        life = plain_code(answer.get("expires_in"))
        seconds = timedelta(seconds=min(int(life[:9]), 86400)) if life.isdigit() else _DEFAULT_LIFE
        return Token(access, datetime.now(UTC) + seconds)
    if reply.status in (400, 401, 403):
        raise LoginRefused(peer.where, f"HTTP {reply.status}")
    raise login_trouble(peer.where, reply)


def check_token_address(address: str, connect_timeout: timedelta, answer_timeout: timedelta) -> None:
    """Raise `ValueError`, worded as one line of `lienthong check`, for an address that is none of the web."""
    try:
        check_http_settings(address, connect_timeout, answer_timeout)
    except ValueError:
        raise ValueError("token_url: not a web address — write one, or a path like /oauth/token") from None
