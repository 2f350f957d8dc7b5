"""Turn the headers of a DICOM study into FHIR R4."""
