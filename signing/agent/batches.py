"""Batches at the workstation: what waits for the signer, what is signed, what holds it up.

A batch lives in memory: after the agent ended the gateway sends again what is not signed yet. A PIN lives as long as one run.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from typing import Protocol

from cryptography.hazmat.primitives import hashes

from mappings.formats.faults import SigningFault
from signing import batch
from signing.agent import protocol
from signing.contract import KeyProvider, ToSign
from signing.faults import AgentRefused, KeyUnavailable, KeyUnsuitable

_MAXIMUM_BATCHES = 20


class State(Enum):
    """Of a batch."""

    WAITING = "waiting"
    SIGNING = "signing"
    DONE = "done"
    STOPPED = "stopped"


class Event(Enum):
    """What happens to a batch."""

    SIGN = "sign"
    """The signer gave the PIN."""
    PAUSE = "pause"
    """The signer wants to look again."""
    INTERRUPT = "interrupt"
    """The token was pulled, the PIN was wrong."""
    FINISH = "finish"
    """Every document is signed or left out."""
    LEAVE = "leave"
    """The signer does not sign the rest."""
    STOP = "stop"
    """The gateway does not want it any more."""


TRANSITIONS: Mapping[tuple[State, Event], State] = {
    (State.WAITING, Event.SIGN): State.SIGNING,
    (State.WAITING, Event.LEAVE): State.DONE,
    (State.WAITING, Event.STOP): State.STOPPED,
    (State.SIGNING, Event.PAUSE): State.WAITING,
    (State.SIGNING, Event.INTERRUPT): State.WAITING,
    (State.SIGNING, Event.FINISH): State.DONE,
    (State.SIGNING, Event.STOP): State.STOPPED,
}
"""What is not here does not happen."""


class OpenKey(KeyProvider, Protocol):
    """A key that a PIN has opened."""

    def close(self) -> None:
        """Log out."""
        ...


class Batch:
    """One batch and its run."""

    def __init__(self, request: protocol.Batch, owner: str) -> None:
        if len({paper.id for paper in request.documents}) != len(request.documents):
            raise AgentRefused("documents", "the same id twice")
        self.request = request
        self.owner = owner
        """The origin of the page that sent it."""
        self._changed = threading.Condition()
        self._state = State.WAITING
        self._version = 1
        self._fault = 0
        self._signatures: dict[str, bytes] = {}
        self._left_out: set[str] = set()
        self._pausing = False

    def state(self, after: int = 0, wait_s: float = 0.0) -> protocol.BatchState:
        """Give the state; wait for one above version `after`, at most `wait_s`."""
        with self._changed:
            self._changed.wait_for(lambda: self._version > after, wait_s)
            documents = tuple(
                protocol.DocumentState(paper.id, "signed", self._signatures[paper.id])
                if paper.id in self._signatures
                else protocol.DocumentState(paper.id, "left out" if paper.id in self._left_out else "waiting")
                for paper in self.request.documents
            )
            return protocol.BatchState(
                protocol.VERSION, self.request.id, self._version, self._state.value, self._fault, documents
            )

    def happen(self, event: Event, fault: int = 0) -> bool:
        """Follow the table; tell whether it knows this event now."""
        with self._changed:
            following = TRANSITIONS.get((self._state, event))
            if following is None:
                return False
            self._state, self._fault = following, fault
            if following is State.DONE:
                self._left_out = {paper.id for paper in self.request.documents} - self._signatures.keys()
            self._tell()
            return True

    def pause(self) -> None:
        """Stop after the document that is being signed."""
        with self._changed:
            self._pausing = self._state is State.SIGNING

    def choose(self, left_out: Collection[str]) -> bool:
        """Begin a run over what is neither signed nor in `left_out`; tell whether it may begin."""
        if not self.happen(Event.SIGN):
            return False
        with self._changed:
            self._pausing = False
            self._left_out = {
                paper.id for paper in self.request.documents if paper.id in left_out
            } - self._signatures.keys()
            self._tell()
        return True

    def run(self, open_key: Callable[[], OpenKey]) -> None:
        """Sign what was chosen, until it is done, held up or stopped; after `choose`."""
        try:
            key = open_key()
        except SigningFault as fault:
            self.happen(Event.INTERRUPT, fault.code)
            return
        try:
            if key.chain[0].fingerprint(hashes.SHA256()).hex() != self.request.certificate:
                raise KeyUnsuitable("token", "another certificate than the papers were prepared for")
            self._sign(key)
        except SigningFault as fault:
            self.happen(Event.INTERRUPT, fault.code)
        finally:
            key.close()
            self.happen(Event.INTERRUPT, KeyUnavailable.code)  # of a run that ended in no other way

    def _sign(self, key: OpenKey) -> None:
        with self._changed:
            papers = [p for p in self.request.documents if p.id not in self._signatures and p.id not in self._left_out]
        to_sign = {paper.id: ToSign(paper.digest) for paper in papers}
        for result in batch.sign_batch(to_sign, key, self.request.algorithm, stopped=self._stopped):
            if result.fault is not None:
                raise result.fault
            if result.state is batch.State.SIGNED:
                with self._changed:
                    self._signatures[result.name] = result.signature
                    self._tell()
            else:
                self.happen(Event.PAUSE)
                return
        self.happen(Event.FINISH)

    def _stopped(self) -> bool:
        with self._changed:
            return self._pausing or self._state is not State.SIGNING

    def _tell(self) -> None:
        self._version += 1
        self._changed.notify_all()


class Batches:
    """All batches of this agent; the finished ones make room for new ones."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._batches: dict[str, Batch] = {}

    def add(self, request: protocol.Batch, owner: str) -> Batch:
        """Take a batch, or find the same one again; raise AgentRefused for another one of the same id, or one too many."""
        with self._turn:
            known = self._batches.get(request.id)
            if known is not None:
                if known.owner != owner or known.request != request:
                    raise AgentRefused("id", "another batch")
                return known
            finished = [name for name, one in self._batches.items() if one.state().state in ("done", "stopped")]
            for name in finished[: max(0, len(self._batches) + 1 - _MAXIMUM_BATCHES)]:
                del self._batches[name]
            if len(self._batches) >= _MAXIMUM_BATCHES:
                raise AgentRefused("batches", f"{len(self._batches)} are waiting")
            self._batches[request.id] = made = Batch(request, owner)
            return made

    def find(self, name: str, owner: str | None = None) -> Batch | None:
        """Give a batch, of `owner` alone unless that is None."""
        with self._turn:
            found = self._batches.get(name)
        return found if found is not None and owner in (None, found.owner) else None

    def forget(self, name: str) -> None:
        """Drop a batch."""
        with self._turn:
            self._batches.pop(name, None)

    def all(self) -> list[Batch]:
        """Give every batch, the newest last."""
        with self._turn:
            return list(self._batches.values())
