"""SFT: the software that sent the message: part of the MessageHeader's source.

Standard: HL7 v2.5.1 §2.15.12
"""

from __future__ import annotations

from mappings.hl7v2.datatypes import compact, words
from mappings.hl7v2.draft import Draft
from mappings.hl7v2.reader import Segment
from mappings.hl7v2.site import replaceable
from mappings.ids import resource_id
from mappings.outcome import Resource

MAPPED = {
    1: "Device.manufacturer",
    2: "Device.version.value",
    3: "Device.deviceName.name",
    4: "Device.modelNumber",
    5: "Device.note.text",
    6: "Device.version.extension(extension-Device.version.installDate)",
}
IGNORED: dict[int, str] = {}

_INSTALLED = "http://hl7.org/fhir/5.0/StructureDefinition/extension-Device.version.installDate"


@replaceable
def sft_to_device(sft: Segment, draft: Draft) -> Resource | None:
    """Make the Device that stands for the software; nothing when it has no name."""
    context = draft.context
    name = words(sft[3].text)
    if not name:
        return None
    vendor = words(sft[1].c(1)) or words(sft[1].c(10))
    version = words(sft[2].text)
    installed = draft.moment(sft, 6)
    described = words(sft[5].whole)
    versions = compact(
        {
            "extension": [{"url": _INSTALLED, "valueDateTime": installed}] if installed and version else [],
            "value": version,
        }
    )
    if installed and not version:
        sft.give_back(6)
    return compact(
        {
            "resourceType": "Device",
            "id": resource_id("Device", f"{context.systems.own}/sid/software", f"{vendor}|{name}|{version}"),
            "manufacturer": vendor,
            "deviceName": [{"name": name, "type": "manufacturer-name"}],
            "modelNumber": words(sft[4].text),
            "version": [versions] if versions else [],
            "note": [{"text": described}] if described else [],
        }
    )


def sft_to_source(sft: Segment, header: Resource) -> None:
    """Name the software in the MessageHeader's source."""
    software, version = words(sft[3].text), words(sft[2].text)
    header["source"] = {**header["source"], **compact({"software": software, "version": version})}
