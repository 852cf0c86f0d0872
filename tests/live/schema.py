#!/usr/bin/env python3
"""JSON output of all forms against docs/vmmap.schema.json."""
import json
import os
import sys

from live import Checks, Target, arguments, kinds_command, parse_json, run, skip, work_folder

SYSTEM_PYTHON = "/usr/bin/python3"
FORMS = (["show"], ["show", "--fast"], ["show", "--raw"], ["show", "--raw", "--numa"], ["show", "--top", "3", "--sort", "rss:desc"],
         ["show", "--kind", "image,stack"], ["show", "--where", "rss>1M"], ["show", "--where", "size<0"],
         ["heap"], ["heap", "--duplicates"], ["heap", "--stop", "--where", "size>1000"])


def validator(path):
    try:
        import jsonschema
    except ImportError:
        # python3-jsonschema of the distribution belongs to its own python3.
        if os.path.exists(SYSTEM_PYTHON) and not os.environ.get("VMMAP_SCHEMA_AGAIN"):
            os.environ["VMMAP_SCHEMA_AGAIN"] = "1"
            os.execv(SYSTEM_PYTHON, [SYSTEM_PYTHON] + sys.argv)
        skip("no jsonschema for python3 (apt install python3-jsonschema)")
    with open(path, encoding="utf-8") as f:
        schema = json.load(f)
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    return kind(schema)


def check(checks, judge, args, pid, what):
    for words in FORMS:
        done = run(args, words[0], pid, "--json", *words[1:])
        name = "%s %s" % (what, " ".join(words))
        if checks.equal(done.returncode, 0, "%s: exit status (%s)" % (name, done.stderr.decode().strip())):
            errors = list(judge.iter_errors(parse_json(done.stdout)))
            for error in errors[:3]:
                print("%s: %s: %s" % (name, "/".join(str(p) for p in error.path), error.message[:200]))
            checks.equal(len(errors), 0, "%s: errors against the schema" % name)


def check_columns(checks, judge, args, pid):
    """Rows as columns."""
    for words in ([], ["--raw"], ["--top", "3"], ["--columns", "rss,thread"], ["--where", "size<0"], ["--fast"]):
        done = run(args, "show", pid, "--format", "json-columns", *words)
        name = "json-columns %s" % " ".join(words)
        if checks.equal(done.returncode, 0, "%s: exit status" % name):
            errors = list(judge.iter_errors(parse_json(done.stdout)))
            for error in errors[:3]:
                print("%s: %s: %s" % (name, "/".join(str(p) for p in error.path), error.message[:200]))
            checks.equal(len(errors), 0, "%s: errors against the schema" % name)


def check_diff(checks, judge, args, pids):
    for words in ([], ["--all"], ["--by", "heap"], ["--by", "class", "--top", "3"], ["--columns", "state,size,rss_before"], ["--fast"],
                  ["--fail-if", "size>1E"], ["--fail-if", "stored>0"]):
        done = run(args, "diff", *pids, "--json", *words)
        name = "diff %s" % " ".join(words)
        checks.equal(done.returncode, 3 if "stored>0" in words else 0, "%s: exit status" % name)
        document = parse_json(done.stdout)
        errors = list(judge.evolve(schema=dict(judge.schema, anyOf=[{"$ref": "#/$defs/diff"}])).iter_errors(document))
        for error in errors[:3]:
            print("%s: %s: %s" % (name, "/".join(str(p) for p in error.path), error.message[:200]))
        checks.equal(len(errors), 0, "%s: errors against the schema" % name)


def main():
    args = arguments(__doc__, schema={"required": True, "help": "docs/vmmap.schema.json"})
    if not os.path.exists(args.schema):
        skip("no %s" % args.schema)
    judge = validator(args.schema)
    checks = Checks()
    with work_folder() as folder:
        for bits in (64, 32):
            command = kinds_command(args, folder, bits)
            if command:
                with Target(command) as target:
                    check(checks, judge, args, target.pid, "t_kinds%d" % bits)
        for name, words in (("t_threads", ["20", "0"]), ("t_static", []), ("t_reserve", []), ("t_merged_stacks", [])):
            program = os.path.join(args.targets, name)
            if os.path.exists(program):
                with Target([program] + words) as target:
                    check(checks, judge, args, target.pid, name)
    check(checks, judge, args, os.getpid(), "python3")
    with Target([os.path.join(args.targets, "t_threads"), "20", "0"]) as target:
        check_columns(checks, judge, args, target.pid)
        check_diff(checks, judge, args, (target.pid, os.getpid()))
    checks.finish()


if __name__ == "__main__":
    sys.exit(main())
