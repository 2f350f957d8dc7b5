"""Hold the accounts of the simulated destinations and the tokens they hand out."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta


@dataclass(frozen=True)
class Account:
    """One facility's account; the same at all destinations."""

    user: str
    password: str = field(repr=False)
    facility: str
    """MACSKCB, five characters."""
    gln: str
    """13 digits, GS1 check digit included."""

    @property
    def password_md5(self) -> str:
        """MD5 in upper-case hex: how the insurance portal wants passwords."""
        return hashlib.md5(self.password.encode(), usedforsecurity=False).hexdigest().upper()


def gln_is_valid(gln: str) -> bool:
    """Check length, digits and the GS1 check digit.

    Standard: GS1 General Specifications §7.9
    """
    if len(gln) != 13 or not (gln.isascii() and gln.isdigit()):
        return False
    total = sum(int(digit) * (3 if position % 2 else 1) for position, digit in enumerate(gln[:12]))
    return int(gln[12]) == -total % 10


@dataclass(frozen=True)
class Token:
    """What a log-in gave out."""

    access: str
    second: str
    """id_token of the portal, refresh_token of the axis."""
    account: Account
    peer: str
    expires_at: datetime


class Tokens:
    """Check passwords and remember tokens until they expire."""

    def __init__(self, accounts: tuple[Account, ...], life_s: int, clock: Callable[[], datetime]) -> None:
        self._accounts = {account.user: account for account in accounts}
        self._clock = clock
        self._tokens: dict[str, Token] = {}
        self.life_s = life_s

    def facilities(self) -> dict[str, str]:
        """Return the facility of every account by user name."""
        return {user: account.facility for user, account in self._accounts.items()}

    def account(self, user: str, password: str, *, hashed: bool = False) -> Account | None:
        """Return the account when the password, or with `hashed` its MD5, is right."""
        account = self._accounts.get(user)
        if account is None:
            return None
        expected = account.password_md5 if hashed else account.password
        return account if hmac.compare_digest(expected.encode(), password.encode()) else None

    def issue(self, account: Account, peer: str) -> Token:
        """Hand out a new token; earlier ones stay valid until they expire."""
        expires_at = self._clock() + timedelta(seconds=self.life_s)
        token = Token(secrets.token_urlsafe(32), secrets.token_urlsafe(24), account, peer, expires_at)
        self._tokens[token.access] = token
        return token

    def find(self, access: str) -> Token | None:
        """Return a token that is known and not expired."""
        token = self._tokens.get(access)
        return token if token is not None and self._clock() < token.expires_at else None

    def knew(self, access: str) -> bool:
        """Tell whether a token was ever handed out."""
        return access in self._tokens

    def revoke_all(self, account: Account) -> None:
        """End every token of an account now."""
        for token in tuple(self._tokens.values()):
            if token.account == account:
                self.revoke(token.access)

    def revoke(self, access: str) -> None:
        """End a token now; nothing happens when it is unknown."""
        token = self._tokens.get(access)
        if token is not None:
            self._tokens[access] = replace(token, expires_at=min(token.expires_at, self._clock()))
