"""Let accounts in and recognise them again: passwords as upper-case MD5, tokens with a life, bound to an address.

The submission calls carry the token in headers, the look-ups in the query string, as published.

Standard: guide CV 1245/BHXH-CNTT (2024)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.sandbox.accounts import Account, Token, Tokens
from conformance.sandbox.portal.switches import Board
from conformance.sandbox.wire import Received, Reply, json_reply


class Door:
    """Hand out tokens and tell whose a call is."""

    def __init__(self, tokens: Tokens, board: Board) -> None:
        self._tokens = tokens
        self._board = board

    def login(self, request: Received) -> Reply:
        """Answer `POST /api/token/take`; a JSON body is read like a form. `expires_in` is a moment in UTC."""
        given = fields_of(request)
        account = self._tokens.account(given.get("username", ""), given.get("password", ""), hashed=True)
        if account is None or not self._may_come_from(account, request.peer):
            return json_reply(200, {"maKetQua": "401", "APIKey": None})
        if self._board.now.one_login:
            self._tokens.revoke_all(account)
        token = self._tokens.issue(account, request.peer)
        key = {
            "access_token": token.access,
            "id_token": token.second,
            "token_type": "Bearer",
            "username": account.user,
            "expires_in": token.expires_at.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
        }
        return json_reply(200, {"maKetQua": "200", "APIKey": key})

    def by_headers(self, request: Received, *, named: bool = True) -> Account | None:
        """Recognise a submission: accessToken, tokenId, passwordHash; with `named` the body's `username`, if any, as well."""
        return self._account(
            request,
            request.headers.get("accesstoken", ""),
            request.headers.get("tokenid", ""),
            request.headers.get("passwordhash", ""),
            fields_of(request).get("username") if named else None,
        )

    def by_query(self, request: Received) -> Account | None:
        """Recognise a look-up: token, id_token, username and password in the query string; the body's serve as well."""
        given = {**fields_of(request), **request.query}
        return self._account(
            request,
            given.get("token", ""),
            given.get("id_token", ""),
            given.get("password", ""),
            given.get("username"),
        )

    def expire(self, request: Received) -> None:
        """End the token a call carries, as if its time were over."""
        for access in (request.headers.get("accesstoken"), request.query.get("token")):
            if access:
                self._tokens.revoke(access)

    def _account(self, request: Received, access: str, second: str, password: str, user: str | None) -> Account | None:
        token = self._tokens.find(access)
        if token is None or not self._same_address(token, request.peer):
            return None
        expected = (token.second, token.account.password_md5, token.account.user)
        return token.account if expected == (second, password, token.account.user if user is None else user) else None

    def _same_address(self, token: Token, peer: str) -> bool:
        return not self._board.now.bound_to_address or token.peer == peer

    def _may_come_from(self, account: Account, peer: str) -> bool:
        registered = self._board.now.registered_addresses.get(account.user)
        return registered is None or peer in registered


def fields_of(request: Received) -> Mapping[str, str]:
    """Return the fields of a body, URL-encoded or a JSON object; empty when it is neither."""
    if request.media_type != "application/json":
        return request.form()
    content: Any = request.json()
    if not isinstance(content, dict):
        return {}
    return {str(name): str(value) for name, value in content.items() if isinstance(value, str | int)}
