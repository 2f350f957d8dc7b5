"""What made the pictures: Device, known by its serial number, else by the name of its station.

Standard: DICOM PS3.3 §C.7.5.1
"""

from __future__ import annotations

from mappings.dicom.attributes import Attributes, text, texts, whole
from mappings.dicom.draft import Draft, reference, uid_identifier
from mappings.hl7v2.datatypes import Element, compact
from mappings.ids import resource_id

_MAKER, _MODEL, _SERIAL, _STATION, _SOFTWARE, _UID = (
    "00080070",
    "00081090",
    "00181000",
    "00081010",
    "00181020",
    "00181002",
)
MAPPED = {
    _MAKER: "Device.manufacturer",
    _MODEL: "Device.deviceName",
    _SERIAL: "Device.serialNumber",
    _STATION: "Device.deviceName | Device.identifier",
    _SOFTWARE: "Device.version",
    _UID: "Device.identifier",
}


def device(attributes: Attributes, draft: Draft) -> Element | None:
    """Make the Device of an object; one without serial number and station is only named."""
    context = draft.context
    maker, model, serial, station = (text(attributes, tag) for tag in (_MAKER, _MODEL, _SERIAL, _STATION))
    if not serial and not station:
        draft.left.setdefault(_SOFTWARE, "software of a device without serial number and station")
        draft.left.setdefault(_UID, "number of a device without serial number and station")
        draft.used |= dict.fromkeys((_MAKER, _MODEL), "ImagingStudy.series.performer.actor.display")
        called = " ".join(part for part in (maker, model) if part)
        return {"display": called} if called else None
    system = context.systems.local(context.facility, "device")
    value = f"{maker}/{serial}" if serial else f"station:{station}"
    names = [{"name": model, "type": "model-name"}] if model else []
    names += [{"name": station, "type": "user-friendly-name"}] if station else []
    software = whole(attributes, _SOFTWARE)
    target = draft.add(
        compact(
            {
                "resourceType": "Device",
                "id": resource_id("Device", system, value),
                "identifier": [
                    {"system": system, "value": value},
                    *(uid_identifier(uid) for uid in texts(attributes, _UID)[:1]),
                ],
                "manufacturer": maker,
                "serialNumber": serial,
                "deviceName": names,
                "version": [{"value": software}] if software else [],
            }
        )
    )
    return reference(target, model or station)
