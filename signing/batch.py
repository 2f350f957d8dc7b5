"""Sign many documents, each with its own state: signed, failed, not reached.

Pure orchestration: the hashes are prepared and the signatures put in elsewhere, and nothing is stored. What was signed before
an interruption stays signed; going on means calling again with the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from mappings.formats.faults import SigningFault
from signing.contract import KeyProvider, ToSign


class State(Enum):
    """What became of one document of a batch."""

    SIGNED = "signed"
    FAILED = "failed"
    """This document cannot be signed, or it was its turn when the key could not go on."""
    NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Result:
    name: str
    """By which the caller knows the document."""
    state: State
    signature: bytes = field(default=b"", repr=False)
    fault: SigningFault | None = None


def sign_batch(
    documents: Mapping[str, ToSign],
    key: KeyProvider,
    algorithm: str = "",
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Result]:
    """Give one result for each document, in their order, as soon as it is known; raise no SigningFault.

    `stopped` is asked before each document; from then on, and after a fault of the key, documents are not reached. Closing the
    iterator stops too.
    """
    names = iter(documents)
    signatures: Iterator[bytes | SigningFault] = iter(())
    fault: SigningFault | None = None
    try:
        signatures = key.sign_hashes(list(documents.values()), algorithm)
        while not stopped():
            try:
                outcome = next(signatures)
            except StopIteration:
                break
            if isinstance(outcome, SigningFault):
                yield Result(next(names), State.FAILED, fault=outcome)
            else:
                yield Result(next(names), State.SIGNED, outcome)
    except SigningFault as problem:
        fault = problem
    finally:
        if isinstance(signatures, Generator):
            signatures.close()
    if fault is not None and (name := next(names, None)) is not None:
        yield Result(name, State.FAILED, fault=fault)
    yield from (Result(name, State.NOT_REACHED) for name in names)


def unsigned(documents: Mapping[str, ToSign], results: Iterable[Result]) -> dict[str, ToSign]:
    """Give the documents that are not signed yet, to go on with."""
    done = {result.name for result in results if result.state is State.SIGNED}
    return {name: document for name, document in documents.items() if name not in done}
