"""Check FHIR R4 resources, as plain JSON-shaped dicts, against tables compiled from the definitions.

Checked: elements and their cardinality, types, the choice `[x]`, the grammar of primitives, codes of required bindings,
reference targets, extensions, narrative. Not checked: FHIRPath invariants (save `ele-1`, `ext-1`), profiles, slicing, codes of
weaker bindings. Only `resourceType`s of R4 (4.0.1) are known.
"""

from mappings.fhir.check import problems, require_valid
from mappings.fhir.faults import ResourceInvalid
from mappings.fhir.problem import Problem
from mappings.fhir.references import bundle_references

__all__ = ["Problem", "ResourceInvalid", "bundle_references", "problems", "require_valid"]
