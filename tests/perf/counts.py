#!/usr/bin/python3
"""Instructions per packet of the fast path, counted by callgrind on fixed bursts, compared with those stored beside this file.

    tests/perf/counts.py BUILD           compare; exit status 1 if one differs by more than the tolerance
    tests/perf/counts.py BUILD --store   store these: when a change is worth it, or came with the compiler
    tests/perf/counts.py BUILD --functions CASE   where the instructions of one case are

Counts do not depend on what else the machine does. They belong to a compiler and to the vector instructions that valgrind knows.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

STORED = os.path.join(os.path.dirname(os.path.realpath(__file__)), "counts.json")
CASES = ("port", "wildcard", "groups", "emc", "exact", "tuple", "tuples", "change", "again", "track", "track-zones", "track-lives", "push", "pop", "push-ovn", "pop-ovn", "pop-gre", "change-push")
TOLERANCE = 0.05


def callgrind(build, case, directory):
    """(instructions per packet, lookup variant, path of callgrind's file)"""
    out = os.path.join(directory, case)
    done = subprocess.run(["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured",
                           "--callgrind-out-file=" + out, build + "/tests/perf/instructions", case],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, timeout=120)
    said = re.search(r"(\d+) packets, (\w+)", done.stdout)
    if done.returncode != 0 or not said:
        sys.exit("counts: %s: %s" % (case, done.stderr[-2000:]))
    with open(out) as file:
        total = int(re.search(r"^(?:summary|totals): (\d+)", file.read(), re.M).group(1))
    return total / int(said.group(1)), said.group(2), out


def compiler():
    """Counts of other major versions cannot be compared."""
    text = subprocess.run(["gcc", "-dumpversion"], stdout=subprocess.PIPE, text=True, check=False).stdout
    return "gcc-" + text.split(".")[0].strip()


def main():
    build = sys.argv[1] if len(sys.argv) > 1 else "build"
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return 77
    with tempfile.TemporaryDirectory(prefix="sluice-counts.") as directory:
        if "--functions" in sys.argv:
            _, _, path = callgrind(build, sys.argv[-1], directory)
            return subprocess.run(["callgrind_annotate", "--auto=no", path], check=False).returncode
        counts, variant = {}, None
        for case in CASES:
            counts[case], variant, _ = callgrind(build, case, directory)
    key = "%s %s" % (compiler(), variant)
    stored = {}
    if os.path.exists(STORED):
        with open(STORED) as file:
            stored = json.load(file)
    if "--store" in sys.argv:
        stored[key] = {case: round(count, 1) for case, count in counts.items()}
        with open(STORED, "w") as file:
            json.dump(stored, file, indent=2)
            file.write("\n")
    if key not in stored:
        print("skipped: nothing is stored for %s; --store does that" % key)
        return 77
    failed = 0
    for case, count in counts.items():
        before = stored[key][case]
        wrong = count > before * (1 + TOLERANCE)
        failed += wrong
        print("%-10s %7.1f instructions per packet, %7.1f stored%s" % (
            case, count, before, "  MORE" if wrong else "  less: store it" if count < before * (1 - TOLERANCE) else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
