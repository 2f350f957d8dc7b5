"""Run google-fhir-r4 in its own virtual environment: a resource a line in, `[[path, text]]` a line out.

Stands alone: nothing of the project is importable here. The library tells the first error of a resource only.
"""

from __future__ import annotations

import json
import sys

from google.fhir.r4 import json_format
from google.fhir.r4.proto.core.resources import bundle_and_contained_resource_pb2

ANY = bundle_and_contained_resource_pb2.ContainedResource
FIELDS = {field.message_type.name: field.name for field in ANY.DESCRIPTOR.fields}


def problems(text: str) -> list[list[str]]:
    kind = json.loads(text).get("resourceType")
    if kind not in FIELDS:
        return [[str(kind), "no such resource type"]]
    made = type(getattr(ANY(), FIELDS[kind]))
    try:
        json_format.json_fhir_string_to_proto(text, made, validate=True, default_timezone="Asia/Ho_Chi_Minh")
    except Exception as refused:  # noqa: BLE001  (the library refuses with whatever the depth of the resource raised)
        return [[kind, f"{type(refused).__name__}: {refused}"]]
    return []


for line in sys.stdin:
    print(json.dumps(problems(line)), flush=True)  # noqa: T201
