#!/usr/bin/env python3
"""Prints the results of a CTest run: "ok PART/NAME", "FAIL PART/NAME" with its output, "skip PART/NAME: reason".

Usage: junit.py PART FILE. A test that passes but skipped some of its cases gives a skip line for each, with the reason
that it printed as "SKIP: reason".
"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def reasons(output):
    return [line[len("SKIP: "):].strip() for line in output.splitlines() if line.startswith("SKIP: ")]


def main():
    part, path = sys.argv[1:3]
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        name = f"{part}/{case.get('name')}"
        output = case.findtext("system-out") or ""
        why = reasons(output)
        status = case.get("status")
        if status == "run":
            print(f"ok {name}")
            for i, reason in enumerate(why):
                print(f"skip {name}[{i + 1}]: {reason}")
        elif case.find("skipped") is not None and status in ("notrun", "disabled") and \
                not re.search(r"could not find|unable to find|not found", case.find("skipped").get("message") or "", re.I):
            print(f"skip {name}: {why[0] if why else case.find('skipped').get('message') or 'no reason given'}")
        else:
            print("\n".join("    " + line for line in output.splitlines()[-80:]))
            print(f"FAIL {name}")


if __name__ == "__main__":
    main()
