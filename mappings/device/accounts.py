"""Where the fields of OBX and OBR go when a device speaks: the account of such rows (promise P7)."""

from __future__ import annotations

from mappings.hl7v2.segments import Tables, obr, obx

ROW = Tables(
    {
        **obx.MAPPED,
        3: "Observation.code | Observation.component.code | Device.type | Device.property.type",
        4: "DeviceMetric.parent | Device.parent",
        5: "Observation.value | Observation.component | Observation.code | Device.property | Device.deviceName",
        6: "Observation.value | Observation.component | Observation.referenceRange | Device.property",
        7: "Observation.referenceRange | Observation.component.referenceRange",
        8: "Observation.interpretation | Observation.component",
        14: "Observation.effective",
        18: "Device.identifier",
    },
    obx.IGNORED,
)
REPORT = Tables({7: "Observation.effective", 8: "Observation.effectivePeriod.end"}, obr.IGNORED)
