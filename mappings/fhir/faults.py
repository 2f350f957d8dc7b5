"""Faults of the resource check, 4001–4019."""

from __future__ import annotations

from collections.abc import Sequence

from mappings.fhir.problem import Problem
from mappings.formats.faults import ValidationFault

SHOWN = 5
"""Problems named in `detail`; the rest is counted."""


class ResourceInvalid(ValidationFault):
    """Raised when a resource breaks the R4 definitions; `where` is the first path, `detail` holds rules and paths only."""

    code = 4001

    def __init__(self, problems: Sequence[Problem]) -> None:
        named = [f"{problem.rule} {problem.path}" for problem in problems[:SHOWN]]
        if len(problems) > SHOWN:
            named.append(f"{len(problems) - SHOWN} more")
        super().__init__(problems[0].path, "; ".join(named))
        self.problems = tuple(problems)

    def __reduce__(self) -> tuple[type[ResourceInvalid], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)
