"""DICOM to FHIR: the headers of a study become resources."""
