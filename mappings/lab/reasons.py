"""Why a field of an instrument's record is left out or not used: the fixed English phrases (promise P7)."""

from __future__ import annotations

from typing import Final

KNOWN_PERSON: Final = "the record knows the person; the number led there"
NO_TEST: Final = "it is not said what was observed"
NO_VALUE: Final = "a mark that there is no value"
BEGUN: Final = "when the test began; when it was done is kept"
NO_ORDER: Final = "a result of no order"
ON_NOTHING: Final = "a comment on nothing"
QUESTION: Final = "a question of the instrument; it is answered"
CONTROL_ORDER: Final = "order of quality control; the results tell it"
NO_PERSON: Final = "control material is no person"
