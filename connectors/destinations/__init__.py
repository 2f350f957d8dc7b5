"""Destinations, one module per kind; a channel names the module: `[[destination]] kind = "insurance_portal"`."""
