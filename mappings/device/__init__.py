"""Turn what medical devices report (ISO/IEEE 11073 over HL7 v2: IHE PCD-01, PCD-04) into FHIR R4.

A device is a tree: the system (MDS), its virtual devices (VMD), their channels, and the metrics that are measured. OBX-4 says
where in the tree a row stands, OBX-3 in the nomenclature of 11073 (MDC) what it is. Shelves: `containment` (the tree and what
kind each row is), `devices` (Device, DeviceMetric), `measurements` (Observation: numbers, panels, waveforms), `alarms` (the
rows of one alarm as one Observation), `report` (the walk over the rows of a report). The fields themselves are read by
`mappings.hl7v2`, which hands the rows of devices over; nothing here knows a store or a clock.

Standard: ISO/IEEE 11073-10101, -10201; IHE Devices TF-2 §3.1 (PCD-01), §3.4 (PCD-04), Appendix B
Requirement: S1.5, S3.2
"""
