"""The command line of scripts/bench, and the run as a whole."""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import cases
import conntrack
import forwarding
import kernel
import loading
import report
import storm
import stress
import tcp
from floor import Floor
from machine import Hugepages, describe
from ovs import DAEMON, Ovs
from process import Failed, run, stop_all
from setup import Files
from sluice import Sluice

TOP = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", ".."))


def arguments():
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help="what to measure (default: all); see --list")
    parser.add_argument("--list", action="store_true", help="list the scenarios")
    parser.add_argument("--quick", action="store_true", help="the main forwarding cases, one round unless told otherwise: less than five minutes")
    parser.add_argument("--rounds", type=int, help="how often each system has its turn (3)")
    parser.add_argument("--flows", type=int, action="append", help="only cases with so many flows; may be repeated")
    parser.add_argument("--no-ovs", action="store_true", help="without OVS")
    parser.add_argument("--no-floor", action="store_true", help="without the floor")
    parser.add_argument("--build", default=os.path.join(TOP, "build"), help="build directory (build)")
    parser.add_argument("--add", action="store_true", help="keep what is in the results already; what is measured again replaces it")
    parser.add_argument("--document", action="store_true", help="put table and picture into docs/performance.md")
    parser.add_argument("--out", help="where results.json, results.md and results.svg go (BUILD/bench)")
    return parser.parse_args()


def list_scenarios():
    for case in cases.CASES:
        flows = ", ".join("%d" % n for n in case.flows)
        print("%-16s %s (%s flows): %s" % (case.name, case.title, flows, case.stresses))
    for scenario in stress.SCENARIOS + loading.SCENARIOS + storm.SCENARIOS + kernel.SCENARIOS + conntrack.SCENARIOS + tcp.SCENARIOS:
        print("%-16s %s: %s" % (scenario.name, scenario.title, scenario.stresses))


def chosen(args):
    """(cases, other scenarios)"""
    others = stress.SCENARIOS + loading.SCENARIOS + storm.SCENARIOS + kernel.SCENARIOS + conntrack.SCENARIOS + tcp.SCENARIOS
    known = {one.name for one in cases.CASES + others}
    unknown = [name for name in args.scenario if name not in known]
    if unknown:
        sys.exit("scripts/bench: no scenario %s; see --list" % ", ".join(unknown))
    if args.scenario:
        return ([c for c in cases.CASES if c.name in args.scenario], [s for s in others if s.name in args.scenario])
    if args.quick:
        return [c for c in cases.CASES if c.in_quick], []
    return cases.CASES, others


def flows_of(case, args):
    flows = case.in_quick if args.quick and not args.scenario else case.flows
    return [n for n in flows if not args.flows or n in args.flows]


def prepare(args):
    if os.geteuid() != 0:
        sys.exit("scripts/bench: needs root: hugepages, pinned threads")
    if os.cpu_count() < 2:
        sys.exit("scripts/bench: needs two cores: one forwards, one does the rest")
    subprocess.run([os.path.join(TOP, "scripts/setup-packages"), "build", "bench"], check=True)
    if not os.path.exists(args.build + "/build.ninja"):
        subprocess.run(["meson", "setup", args.build, TOP], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ninja", "-C", args.build, "sluiced", "sluicectl", "tests/bench/empty_loop",
                    "tests/bench/packet_flood", "tests/system/vhost-tap"], check=True, stdout=subprocess.DEVNULL)
    os.sched_setaffinity(0, {0})


def versions(args, with_ovs):
    found = {"sluice": run([args.build + "/sluiced", "--version"]).split("\n")[0],
             "dpdk": run(["pkg-config", "--modversion", "libdpdk"]).strip()}
    if with_ovs:
        found["ovs"] = run([DAEMON, "--version"]).split("\n")[0]
    commit = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"], stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL, check=False).stdout.strip()
    if commit:
        found["commit"] = commit
    return found


def measure_all(args, directory, hugepages):
    files = Files(directory, args.build)
    floor, ovs, sluice = Floor(directory), Ovs(directory), Sluice(directory, args.build)
    absent = ({"ovs"} if args.no_ovs else set()) | ({"floor"} if args.no_floor else set())
    some_cases, others = chosen(args)
    rounds = args.rounds or (1 if args.quick else 3)
    plan = []
    for case in some_cases:
        for flows in flows_of(case, args):
            switches = [s for s in (floor, ovs, sluice) if s.name in case.systems and s.name not in absent]
            plan.append((case, flows, switches))
    switches = [s for s in (ovs, sluice) if s.name not in absent]
    steps = [forwarding.estimate(case, flows, s.name) for case, flows, systems in plan for _ in range(rounds) for s in systems]
    steps += [scenario.estimate for scenario in others for s in switches if s.name in scenario.systems]
    progress = forwarding.Progress(steps)

    results = {"machine": describe(), "versions": versions(args, not args.no_ovs), "rounds": rounds,
               "command": " ".join(["scripts/bench"] + sys.argv[1:]), "date": time.strftime("%Y-%m-%d"), "load": os.getloadavg(),
               "cases": [], "scenarios": []}
    try:
        for case, flows, systems in plan:
            rows = forwarding.run(case, flows, systems, rounds, files, directory, hugepages, progress)
            results["cases"].append(report.judge(case, flows, rows))
        for scenario in others:
            rows = {}
            for switch in switches:
                if switch.name not in scenario.systems:
                    continue
                progress.step("%s, %s" % (scenario.name, switch.name))
                try:
                    rows[switch.name] = scenario.run(switch, files, hugepages)
                    progress.result(scenario.text(rows[switch.name]))
                except Failed as failure:
                    rows[switch.name] = {"failed": str(failure)}
                    progress.result("failed: %s" % failure)
                finally:
                    switch.stop()
            files.forget()
            results["scenarios"].append(report.judge_scenario(scenario, rows))
    except KeyboardInterrupt:
        results["interrupted"] = True
        print("\ninterrupted: what was measured so far is written")
    return results


def main():
    args = arguments()
    if args.list:
        list_scenarios()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    chosen(args)
    prepare(args)
    out = args.out or os.path.join(args.build, "bench")
    directory = tempfile.mkdtemp(prefix="sluice-bench.")
    hugepages = Hugepages()
    try:
        results = measure_all(args, directory, hugepages)
    finally:
        stop_all()
        hugepages.give_back()
        shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(out, exist_ok=True)
    if args.add:
        results = report.add(results, out)
    report.write(results, out)
    if args.document:
        report.document(results, os.path.join(TOP, "docs"))
    print("\n" + report.markdown(results))
    print("written: %s/results.json, results.md, results.svg" % out)
    return 130 if results.get("interrupted") else 0
