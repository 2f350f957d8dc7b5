"""What a reading must know that is not in the document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mappings.systems import DEFAULT, Systems

MAX_SIZE = 50 * 1024**2


@dataclass(frozen=True)
class Context:
    """Say for whom a document is read."""

    systems: Systems = DEFAULT
    zone: str = "Asia/Ho_Chi_Minh"
    """Zone of times that carry no offset."""
    max_size: int = MAX_SIZE
    """Bytes above which a document is not read."""
    expect_patient: Sequence[tuple[str, str]] = ()
    """System and value of numbers of the person that the document should be about; none: nobody is expected."""
