"""What laboratories send that is not HL7 v2: results in tables with a declared layout."""
