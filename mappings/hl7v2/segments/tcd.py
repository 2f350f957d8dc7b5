"""TCD: how the analyser is to run a test, or ran it.

Standard: HL7 v2.5.1 §13.4.10
"""

from __future__ import annotations

MAPPED: dict[int, str] = {}
IGNORED = {
    1: "code of the test; OBR-4 and OBX-3 name it",
    **dict.fromkeys((2, 3, 4, 5), "dilution in the analyser; the result is given for the undiluted specimen"),
    6: "whether the analyser may repeat the test; its own affair",
    7: "whether the analyser may add a test; FHIR R4 has no element for it",
    8: "whether the result is of a repeated run; FHIR R4 has no element for it",
}
