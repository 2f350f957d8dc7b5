"""Judge with the R4B models of fhir.resources: required elements, unknown elements, types, forms of dates.

R4B and R4 4.0.1 agree on the resources of a hospital's messages; the few types that only 4.0.1 has are passed over. It accepts
any code and any reference.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

from conformance.validators.definitions import definitions
from conformance.validators.finding import Problem


@cache
def model(kind: str) -> type[BaseModel]:
    """Load the model of a resource type."""
    module = importlib.import_module(f"fhir.resources.R4B.{kind.lower()}")
    found: type[BaseModel] = getattr(module, kind)
    return found


def check(texts: Sequence[str]) -> list[list[Problem]]:
    """Validate each resource with its model."""
    return [_problems(json.loads(text)) for text in texts]


def _problems(resource: Any) -> list[Problem]:
    kind = str(resource.get("resourceType"))
    try:
        model(kind).model_validate(resource)
    except ModuleNotFoundError:
        return [] if definitions().is_resource(kind) else [(kind, "no such resource type")]
    except ValidationError as refused:
        return [(".".join([kind, *map(str, error["loc"])]), error["msg"]) for error in refused.errors()]
    return []
