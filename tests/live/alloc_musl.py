#!/usr/bin/env python3
"""musl's mallocng: every block with the size that was asked for, in dynamic and static programs, a child, churn."""
import argparse
import os
import shutil
import subprocess
import tempfile

import live
from alloc_blocks import check_blocks, check_heaps, chunks_of, heaps_of, settle
from live import Checks, Target, skip

EXTRA_MOST = 4  # what dlsym() keeps to say that it found nothing, and what the loader has for each thread


def build(folder, source, name, *flags):
    program = os.path.join(folder, name)
    command = ["musl-gcc", "-O1", "-D_GNU_SOURCE", "-o", program, os.path.join(os.path.dirname(__file__), "..", "targets", source), "-pthread", *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise RuntimeError("%s: %s" % (" ".join(command), done.stdout.decode(errors="replace")))
    return program


def check_program(checks, args, program, threads, blocks, aligned):
    name = "%s, %d threads%s" % (os.path.basename(program), threads, ", aligned" if aligned else "")
    with Target([program, str(threads), str(blocks)] + (["aligned"] if aligned else [])) as target:
        truth = target.truth
        settle(truth["child"])
        settle(truth["pid"])
        for pid, who in ((truth["pid"], name), (truth["child"], name + ", child")):
            heaps, document = heaps_of(args, pid, "musl")
            chunks, notes = chunks_of(args, pid)
            checks.equal(notes, [], "%s: notes" % who)
            in_gaps = heaps.pop("musl.gaps", None)
            check_heaps(checks, who, heaps, document, chunks)
            checks.equal(sorted(heaps), ["musl.0"], "%s: heaps" % who)
            all_heaps = list(heaps.values()) + ([in_gaps] if in_gaps else [])
            checks.true(all(h["proved"] for h in all_heaps), "%s: not proved" % who)
            extra = check_blocks(checks, who, chunks, truth["blocks"], truth["freed"], EXTRA_MOST)
            checks.equal(sum(h["used_count"] for h in all_heaps) - len(extra), truth["live"], "%s: blocks in use" % who)
            checks.equal(sum(h["used_bytes"] for h in all_heaps) - sum(c[4] for c in extra), truth["requested"], "%s: bytes asked for" % who)
            for account in document["accounts"]:
                if account["id"].startswith("heaps"):
                    checks.equal(account["remainder"], 0, "%s: %s" % (who, account["label"]))
        print("%s: %d blocks, %d bytes, %d of others, %d regions" % (
            name, truth["live"], truth["requested"], len(extra), sum(r.get("heap") == "musl.0" for r in document["regions"])))


def check_churn(checks, args, program):
    proved = still = exact = 0
    with Target([program, "4", "5000"]) as target:
        expected, threads = target.truth["live"], target.truth["threads"]
        for _ in range(live.test_count(10)):
            heaps, _ = heaps_of(args, target.pid, "musl")
            checks.true("musl.0" in heaps, "churn: musl is not found")
            proved += all(h["proved"] for h in heaps.values())
        for _ in range(live.test_count(10)):
            with target.stopped():
                heaps, document = heaps_of(args, target.pid, "musl")
                if heaps and all(h["proved"] for h in heaps.values()):
                    still += 1
                    heaps.pop("musl.gaps", None)
                    used = sum(c[0] == "used" for c in chunks_of(args, target.pid)[0])
                    exact += expected <= used <= expected + 2 * threads + EXTRA_MOST
                    checks.true(expected <= used <= expected + 2 * threads + EXTRA_MOST, "churn: %d blocks in use of %d" % (used, expected))
    print("churn: proved in %d of %d looks; stopped in %d, exact in %d" % (proved, live.test_count(10), still, exact))


def check_others(checks, args):
    """Programs with another C library."""
    for command in ([os.path.join(args.targets, "t_alloc"), "2", "500"], [os.path.join(args.targets, "t_arenas_static"), "2", "20"]):
        if not os.path.exists(command[0]):
            continue
        with Target(command) as target:
            heaps, _ = heaps_of(args, target.pid, "musl")
            checks.equal(sorted(heaps), [], "%s: musl where there is none" % command[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for option in ("--vmmap", "--targets", "--chunks"):
        parser.add_argument(option, required=True, type=os.path.abspath)
    args = parser.parse_args()
    if not shutil.which("musl-gcc"):
        skip("no musl-gcc (apt install musl-tools)")
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="vmmap-live-", dir=os.getcwd()) as folder:
        for program in (build(folder, "t_alloc.c", "dynamic"), build(folder, "t_alloc.c", "static", "-static"),
                        build(folder, "t_alloc.c", "static-pie", "-static-pie", "-fPIE")):
            for threads, blocks, aligned in ((1, 3000, False), (8, 2000, False), (60, 300, False), (8, 2000, True)):
                check_program(checks, args, program, threads, blocks, aligned)
        check_churn(checks, args, build(folder, "t_churn.c", "churn"))
    check_others(checks, args)
    checks.finish()


if __name__ == "__main__":
    main()
