"""The published JSON Schemas of ``report.json`` and ``summary.json``, made from the models.

``python -m autograder.report.schema`` writes them to ``docs/``; a test pins them to the models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel

from autograder.report.files import write_text
from autograder.report.model import Report
from autograder.report.summary import Summary

SCHEMAS: Mapping[str, type[BaseModel]] = {"report.schema.json": Report, "summary.schema.json": Summary}


def schema_text(model: type[BaseModel]) -> str:
    """Return the JSON Schema of a model as it is written to the file."""
    # What is written has every field: a reader need not know the defaults.
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    for name, model in SCHEMAS.items():
        write_text(Path("docs") / name, schema_text(model))
