"""Let several judges judge Bundles at once, each distinct resource once."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from conformance.validators import invariants, models, references, schema, terminology
from conformance.validators.false_positives import is_false
from conformance.validators.finding import INSTALLED, Check, Finding, Json, Problem, Work, read
from conformance.validators.lines import LineJudge

HERE = Path(__file__).resolve().parent

INSIDE: dict[str, Check] = {
    "fhir.resources": models.check,
    "schema": schema.check,
    "invariants": invariants.check,
    "terminology": terminology.check,
}
"""Judges that run in a process of ours."""

OUTSIDE: dict[str, tuple[str, ...]] = {
    "google-fhir": (str(INSTALLED / "google-fhir" / "bin" / "python"), str(HERE / "google_fhir" / "worker.py")),
    "medplum": ("node", str(HERE / "node" / "worker.mjs"), str(INSTALLED / "node"), "medplum"),
    "ucum": ("node", str(HERE / "node" / "worker.mjs"), str(INSTALLED / "node"), "ucum"),
}
"""Judges that run as a process of another kind: its command."""

JUDGES = (*INSIDE, *OUTSIDE, "references")

BATCH = 200
"""Resources handed over at once; small enough that the last batch does not leave the other core idle for long."""


def judge(
    bundles: Iterable[tuple[str, bytes]], names: Sequence[str] = JUDGES, *, everything: bool = False
) -> list[Finding]:
    """Give what the named judges do not accept in these Bundles, sorted; any other resource is judged alone.

    Known errors of a judge (`false_positives`) are left out unless `everything` is asked for. Raises `NotInstalled`, and
    `ValueError` for what is not JSON or not a resource. For more than a few hundred resources it starts processes, so a script
    that calls it stands behind `if __name__ == "__main__"`.
    """
    read_ones = [(name, _resource(text)) for name, text in bundles]
    work = Work.of(read_ones)
    found: list[Finding] = []
    with ExitStack() as open_ones:
        threads = open_ones.enter_context(ThreadPoolExecutor())
        outside = {}
        for name in names:
            if name in OUTSIDE:
                outside[name] = threads.submit(_ask, OUTSIDE[name], work.texts)
        pool = _pool(len(work.texts), open_ones)
        for name in names:
            if name in INSIDE:
                found += work.findings(name, list(_spread(pool, name, work.texts)))
        for name, answer in outside.items():
            found += work.findings(name, answer.result())
    if "references" in names:
        found += [
            Finding("references", name, path, said) for name, one in read_ones for path, said in references.check(one)
        ]
    return sorted(finding for finding in found if everything or not is_false(finding))


def _resource(text: bytes) -> Json:
    found = read(text)
    if not isinstance(found, dict) or not isinstance(found.get("resourceType"), str):
        raise ValueError("not a FHIR resource")
    return found


def _ask(command: Sequence[str], texts: Sequence[str]) -> list[list[Problem]]:
    with LineJudge(command) as process:
        return process.check(texts)


def _pool(resources: int, open_ones: ExitStack) -> Executor | None:
    """Give a pool of processes when there is enough to do for more than one."""
    cores = os.cpu_count() or 1
    if resources <= BATCH or cores == 1:
        return None
    spawn = multiprocessing.get_context("spawn")
    return open_ones.enter_context(ProcessPoolExecutor(min(cores, 4), mp_context=spawn))


def _spread(pool: Executor | None, name: str, texts: Sequence[str]) -> Iterator[list[Problem]]:
    batches = [texts[at : at + BATCH] for at in range(0, len(texts), BATCH)]
    answers = pool.map(partial(_check, name), batches) if pool else map(INSIDE[name], batches)
    for answer in answers:
        yield from answer


def _check(name: str, texts: Sequence[str]) -> list[list[Problem]]:
    return INSIDE[name](texts)
