"""Decide, by a written plan, when a destination misbehaves and how. The same plan and requests give the same faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Final

from conformance.sandbox.codes import DISTORTIONS, REFUSALS

DESTINATIONS: Final = ("insurance_portal", "moh_axis", "national_coordination", "fhir_rest")
TRUST_SERVICES: Final = ("ocsp", "crl", "tsa", "csc")
PEERS: Final = DESTINATIONS + TRUST_SERVICES


class Action(StrEnum):
    """What happens to a request that a rule matches."""

    DOWN = "down"
    """The port is closed: connections are refused. With a condition on requests: the connection is reset, nothing is
    stored."""
    UNAVAILABLE = "unavailable"
    """HTTP 503 with Retry-After; nothing is stored."""
    THROTTLE = "throttle"
    """HTTP 429 with Retry-After; nothing is stored."""
    HTTP_500 = "http_500"
    """HTTP 500 without a body of the interface; nothing is stored."""
    BAD_ANSWER = "bad_answer"
    """HTTP 200 with a web page instead of the interface's answer; nothing is stored."""
    MAINTENANCE = "maintenance"
    """HTTP 200 with a page that says the portal is being maintained; nothing is stored."""
    EXPIRE = "expire"
    """The token ends just before the call is answered: of the insurance portal, 401 in an HTTP 200."""
    LOSE_ANSWER = "lose_answer"
    """The paper is judged and stored, then the connection closes without an answer."""
    REFUSE = "refuse"
    """The paper is refused with the published code `code`; calls that carry none are answered as ever, but a look-up at the
    insurance portal is refused too. A trust service answers with the error `code` of its standard."""
    DISTORT = "distort"
    """A trust service answers, but wrongly in the way `code` names: one of DISTORTIONS."""
    SLOW = "slow"
    """Wait `delay_ms` before anything else; other rules still apply."""


class Call(StrEnum):
    """What a request asks of a destination."""

    LOGIN = "login"
    SUBMIT = "submit"
    """Take a paper; at the trust services: answer for a certificate, give a list, stamp, sign hashes."""
    FIND = "find"
    AUTHORIZE = "authorize"
    """Unlock a key at the remote signer, or send the code that unlocks it."""


@dataclass(frozen=True)
class Rule:
    """One line of a fault plan; every condition given must hold. Requests count from the moment the rule was added."""

    __pydantic_config__: ClassVar[dict[str, str]] = {"extra": "forbid"}

    destination: str
    """One of PEERS."""
    action: Action
    call: Call | None = Call.SUBMIT
    """Which requests count and match; None: all."""
    first: int = 1
    """The first request that matches, counted from 1."""
    last: int | None = None
    every: int = 1
    """Of the requests from `first` on, each n-th."""
    attempts: int | None = None
    """Only the first n attempts of each paper, told apart by SHA-256."""
    document: str | None = None
    """Only this paper: its SHA-256, its key or the identifier inside it."""
    after_s: float = 0.0
    until_s: float | None = None
    """Window of time in seconds since the rule was added."""
    retry_after_s: int | None = None
    """Retry-After of `unavailable` and `throttle`; None: no such header."""
    code: str | None = None
    """What `refuse` answers, None for the usual refusal; how `distort` distorts."""
    delay_ms: int = 0

    def __post_init__(self) -> None:
        if self.destination not in PEERS:
            raise ValueError("no such destination")
        if self.action is Action.DISTORT and self.code not in DISTORTIONS.get(self.destination, ()):
            raise ValueError("no such distortion at this destination")
        if self.action is Action.EXPIRE and self.destination != "insurance_portal":
            raise ValueError("only the insurance portal's tokens can be ended")
        refusals = REFUSALS.get(self.destination)
        if (
            self.action is Action.REFUSE
            and self.code is not None
            and refusals is not None
            and self.code not in refusals
        ):
            raise ValueError("no such code at this destination")
        if self.first < 1 or self.every < 1 or (self.last is not None and self.last < self.first):
            raise ValueError("first and every begin at 1; last is not before first")

    @property
    def closes_port(self) -> bool:
        """Whether the rule needs no request to act: `down` without a condition on requests."""
        anything = self.first == 1 and self.last is None and self.every == 1
        return self.action is Action.DOWN and anything and self.attempts is None and self.document is None


@dataclass(frozen=True)
class PaperNames:
    """By what a rule can recognise a paper."""

    sha256: str
    key: str
    document_id: str


@dataclass
class _Standing:
    rule: Rule
    added_at: datetime
    seen: int = 0
    fired: int = 0
    attempts: dict[str, int] = field(default_factory=dict)

    def open_at(self, now: datetime) -> bool:
        age = now - self.added_at
        ends = self.rule.until_s
        return age >= timedelta(seconds=self.rule.after_s) and (ends is None or age < timedelta(seconds=ends))


class FaultPlan:
    """Hold the rules in the order they were added; the first that matches acts."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._standing: list[_Standing] = []
        self.changed: Callable[[], None] = lambda: None
        """Called after every change, so that ports can be closed or opened."""

    def add(self, *rules: Rule) -> None:
        """Add rules behind those that stand."""
        self._standing += [_Standing(rule, self._clock()) for rule in rules]
        self.changed()

    def clear(self) -> None:
        """Remove all rules: every destination behaves again."""
        self._standing.clear()
        self.changed()

    def state(self) -> list[dict[str, Any]]:
        """Return every rule with how many requests it counted and how often it acted."""
        return [asdict(each.rule) | {"seen": each.seen, "fired": each.fired} for each in self._standing]

    def fired(self, action: Action) -> int:
        """Return how often rules of this action have acted on a request."""
        return sum(each.fired for each in self._standing if each.rule.action is action)

    def port_closed(self, destination: str) -> bool:
        """Tell whether the destination's port is to be closed now."""
        now = self._clock()
        return any(each.open_at(now) for each in self._standing if self._closes(each, destination))

    def next_change_s(self, destination: str) -> float | None:
        """Return the seconds until `port_closed` may change by itself."""
        now = self._clock()
        edges = [
            (each.added_at - now).total_seconds() + edge
            for each in self._standing
            if self._closes(each, destination)
            for edge in (each.rule.after_s, each.rule.until_s)
            if edge is not None
        ]
        return min((edge for edge in edges if edge > 0), default=None)

    def match(self, destination: str, call: Call, names: Callable[[], PaperNames]) -> list[Rule]:
        """Count a request and return what happens to it: any `slow` rules, then at most one other."""
        now = self._clock()
        acting: list[Rule] = []
        decided = False
        for each in self._standing:
            rule = each.rule
            if rule.destination != destination or rule.call not in (None, call) or rule.closes_port:
                continue
            each.seen += 1
            if not self._matches(each, call, names, now):
                continue
            if rule.action is not Action.SLOW:
                if decided:
                    continue
                decided = True
            each.fired += 1
            acting.append(rule)
        return sorted(acting, key=lambda rule: rule.action is not Action.SLOW)

    @staticmethod
    def _closes(each: _Standing, destination: str) -> bool:
        return each.rule.destination == destination and each.rule.closes_port

    @staticmethod
    def _matches(each: _Standing, call: Call, names: Callable[[], PaperNames], now: datetime) -> bool:
        rule = each.rule
        if each.seen < rule.first or (rule.last is not None and each.seen > rule.last):
            return False
        if (each.seen - rule.first) % rule.every or not each.open_at(now):
            return False
        if rule.attempts is None and rule.document is None:
            return True
        if call is not Call.SUBMIT:
            return False
        paper = names()
        if rule.document is not None and rule.document not in (paper.sha256, paper.key, paper.document_id):
            return False
        if rule.attempts is None:
            return True
        each.attempts[paper.sha256] = each.attempts.get(paper.sha256, 0) + 1
        return each.attempts[paper.sha256] <= rule.attempts
