"""What the simulated portal's assessment finds in the visits of the day, by checks of its own, after all were received."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

_RETURNED = 6
_PLACE = "/_sandbox/portal"
_CHECK_IN = "/checkInKcb"


@dataclass(frozen=True)
class AssessmentFigures:
    """The visits that stand at the portal."""

    visits: int
    """Under a number each; corrected files do not count twice."""
    returned: int
    """With a block error."""
    check_ins: int
    """Files that told of a visit at its first cost."""
    findings: Mapping[str, int]
    """Kind and code → how many, of everything that was found."""

    @property
    def closes(self) -> bool:
        return bool(self.visits) and not self.returned


async def assessed(admin: httpx.AsyncClient) -> AssessmentFigures:
    """Have everything assessed that was received, and say what came of it."""
    (await admin.post(f"{_PLACE}/assess", json={})).raise_for_status()
    listed = (await admin.get(f"{_PLACE}/visits")).raise_for_status().json()
    standing = [one for one in listed if one["replaced_by"] is None and not one["deleted"]]
    found = Counter(f"{each['kind']} {each['code']}" for one in standing for each in one["findings"])
    returned = sum(one["TINHTRANGGUI"] == _RETURNED for one in standing)
    began = [one for one in standing if _CHECK_IN in one["form"]]
    visits = {one["MA_LK"] for one in standing if one not in began}
    return AssessmentFigures(len(visits), returned, len(began), dict(found))
