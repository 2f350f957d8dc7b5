"""RGS: resource group of an appointment. Groups are flattened: every resource takes part in the one appointment."""

from __future__ import annotations

from mappings.hl7v2.segments import SEQUENCE

IGNORED = {
    1: SEQUENCE,
    2: "action on the group; the appointment is stored whole",
    3: "groups of resources are flattened into one appointment",
}
