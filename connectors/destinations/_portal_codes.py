"""What `maKetQua` means in the answer to a submission. Cards have a table of their own, in which the same numbers mean others:
124 is a file with wrong content here and a card that was stopped there (`mappings/bhyt/card.py`).

Standard: CV 1245/BHXH-CNTT (2024) for 200, 401, 403; the others from integrators' notes, the split of 124, 202, 204 and 205 not
exactly known
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, Literal

Means = Literal["received", "login", "account", "server", "file"]


class Submission(StrEnum):
    """A code of the submission table."""

    RECEIVED = "200"
    LOGIN_BAD = "401"
    FACILITY_WRONG = "402"
    NOT_PERMITTED = "403"
    SERVER_TROUBLE = "500"
    NOT_SIGNED = "123"
    CONTENT_WRONG = "124"
    SIGNATURE_WRONG = "125"
    FORMAT_WRONG = "202"
    VALUE_WRONG = "204"
    PARAMETER_WRONG = "205"
    TOO_LONG = "1001"

    @property
    def means(self) -> Means:
        """Whether it is a yes, or whose trouble it tells of: the log-in, the account, the portal, the file.

        402 counts as the file's: its wording is doubtful, and a file that names another facility must not stop the others.
        """
        return _OTHERS.get(self, "file")


_OTHERS: Final[dict[Submission, Means]] = {
    Submission.RECEIVED: "received",
    Submission.LOGIN_BAD: "login",
    Submission.NOT_PERMITTED: "account",
    Submission.SERVER_TROUBLE: "server",
}


def submission(code: str) -> Submission | None:
    """Give the code of the submission table; None for one it does not have."""
    try:
        return Submission(code)
    except ValueError:
        return None
