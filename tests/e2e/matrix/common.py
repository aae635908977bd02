# SPDX-License-Identifier: MIT
"""What the matrix's clients for Python have in common; see common.mjs."""
import json
import os
import re
import traceback

SCHEMA = {"type": "object", "required": ["name", "age"],
          "additionalProperties": False,
          "properties": {"name": {"type": "string"},
                         "age": {"type": "integer"}}}
CITY = {"type": "object", "required": ["city"],
        "properties": {"city": {"type": "string"}}}
PNG = "iVBORw0KGgo="
QUESTION = "the quick brown fox"


def person(text):
    assert json.loads(text) == {"name": "Ada", "age": 36}, text


def says(text, pattern):
    assert re.search(pattern, text), (text, pattern)


def run(cells):
    for target in json.loads(os.environ["TARGETS"]):
        for cell, ask in cells.items():
            result, why = "ok", ""
            try:
                ask(target)
            except Exception as e:  # pylint: disable=broad-except
                code = getattr(e, "status_code", None)
                result = "refused" if code in (400, 501) else "failed"
                why = str(e) if result == "refused" else traceback.format_exc()
            print(json.dumps({"target": target["name"], "cell": cell,
                              "result": result, "why": why}), flush=True)
