"""Papers; `samples.SAMPLES` has one record for each, however many modules the records stand in."""

from tests.unit.documents.clinical_samples import CLINICAL
from tests.unit.documents.samples import SAMPLES

SAMPLES |= CLINICAL
