"""Judge FHIR R4 output with code and definitions that nobody here wrote, several at once, because each misses something.

Every judge takes Bundles as bytes and gives findings; see README.md for what each one sees. The judges outside Python live in
`.judges/` at the root of the checkout, put there by `deploy/judges.sh`. Nothing of our other packages is imported.
"""

from __future__ import annotations

from conformance.validators.bench import JUDGES, judge
from conformance.validators.finding import Finding

__all__ = ["JUDGES", "Finding", "judge"]
