"""What a hospital should know of its signing policy before it works by it: nothing here stops a node.

Deaths and records of high legal value are always signed by the director (S3.7). Whether a hospital does so on paper, or has no
director of its own, is for it to know: therefore it is told, and not refused.

Requirement: S3.7
"""

from __future__ import annotations

from collections.abc import Iterator

from gateway.faults import ConfigFault, DirectorMissing
from gateway.settings import Plan
from gateway.signing_forms import FILE
from signing.policy import Case, Policies

_DIRECTOR = "director"
_OF_A_DEATH = ("death_notice", "discharge_paper", "record_summary")
"""Papers that close the record of somebody who died."""


def doubts(plan: Plan) -> Iterator[ConfigFault]:
    """Yield the papers of a channel on which the director does not sign though he should, each once for every reason."""
    made = dict.fromkeys(paper for channel in plan.channels for paper in channel.settings.produce)
    for condition, papers in (("death", _OF_A_DEATH), ("high_legal_value", plan.policies.high_legal_value)):
        for paper in papers:
            told = _lacking(plan.policies, paper, condition) if paper in made else ""
            if told:
                yield DirectorMissing(FILE, f"{paper}, {condition}: {told}")


def _lacking(policies: Policies, paper: str, condition: str) -> str:
    """Say why a paper may be issued without the director's own signature under a condition; nothing when it may not."""
    wanted = policies.wanted(paper, Case(frozenset({condition})))
    own = [one for one in wanted if one.part.role == _DIRECTOR]
    if not own:
        return "no step for the director"
    if all(one.part.optional or one.part.may_be_skipped_by for one in own):
        return "the director's step may be left out"
    return "" if any(one.in_person for one in own) else "somebody may stand in for the director (in_person)"
