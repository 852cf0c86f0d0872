#!/usr/bin/env python3
"""check_schema.py SCHEMA FILE...: 0 when every JSON file validates, 77 when python3-jsonschema is missing."""
import json
import sys

try:
    import jsonschema
except ImportError:
    sys.exit(77)


def unique(pairs):
    keys = [k for k, _ in pairs]
    if len(keys) != len(set(keys)):
        raise ValueError(f"a key stands twice: {sorted(keys)}")
    return dict(pairs)


with open(sys.argv[1], encoding="utf-8") as f:
    schema = json.load(f)
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
failed = 0
for name in sys.argv[2:]:
    with open(name, encoding="utf-8") as f:
        document = json.load(f, object_pairs_hook=unique)
    part = "heap_page" if "largest" in document else "snapshot" if "target" in document else "table"
    chosen = {"$ref": "#/$defs/" + part, "$defs": schema["$defs"]}
    for e in jsonschema.Draft202012Validator(chosen).iter_errors(document):
        print(f"{name}: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}", file=sys.stderr)
        failed = 1
    if not validator.is_valid(document):
        failed = 1
sys.exit(failed)
