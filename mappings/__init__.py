"""Turn one thing into another: HL7 v2 into FHIR, FHIR into papers, papers into CDA and the XML of authorities.

Pure functions, no I/O. What needs a socket, a disk or a key lives one floor up.
"""
