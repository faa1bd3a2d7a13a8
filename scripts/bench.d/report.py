"""Results as JSON, as a Markdown table and as a picture."""
import json
import os

import picture
from cases import CASES, FLOOR, OVS, SLUICE

NAMES = {FLOOR: "floor", OVS: "OVS-DPDK", SLUICE: "Sluice"}


def judge(case, flows, systems):
    """A row of the table: ratios, and whether the targets are met (None: there is none, or nothing to compare with)."""
    row = {"case": case.name, "title": case.title, "stresses": case.stresses, "flows": flows, "systems": systems,
           "plotted": case.plotted, "faults": []}
    ours = systems.get(SLUICE, {}).get("cycles")
    targets = {"vs_ovs": (OVS, case.vs_ovs.get(flows)), "vs_floor": (FLOOR, case.vs_floor.get(flows))}
    checks = []
    for key, (other, target) in targets.items():
        theirs = systems.get(other, {}).get("cycles")
        row[key] = ours / theirs if ours and theirs else None
        row["target_" + key] = target
        if target is not None and row[key] is not None:
            checks.append(round(row[key], 3) <= target)
    if ours:
        sluice = systems[SLUICE]
        if case.lossless and (sluice["lost"] > 0 or sluice["settled_s"] is None):
            row["faults"].append("loses %.2f %%" % (100 * sluice["lost"]))
            checks.append(False)
        limit = case.settled_within.get(flows)
        if limit and (sluice["settled_s"] is None or sluice["settled_s"] > limit):
            row["faults"].append("settled in %s s, not %g" % (sluice["settled_s"], limit))
            checks.append(False)
    row["met"] = all(checks) if checks else None
    return row


def judge_scenario(scenario, systems):
    good = {name: row for name, row in systems.items() if "failed" not in row}
    figures = []
    if good:
        for f in scenario.figures(good.get(OVS), good.get(SLUICE)):
            figures.append({"what": f.what, OVS: f.ovs, SLUICE: f.sluice, "ratio": f.ratio(), "target": f.target,
                            "relative": f.relative, "at_least": f.at_least, "met": f.met()})
    return {"scenario": scenario.name, "title": scenario.title, "stresses": scenario.stresses, "systems": systems,
            "figures": figures}


def number(value):
    """Three digits or more."""
    if value is None:
        return "-"
    return "%d" % round(value) if abs(value) >= 100 else "%.3g" % value


def flows_text(flows):
    return "%dM" % (flows // 1000000) if flows >= 1000000 else "%dk" % (flows // 1000) if flows >= 1000 else "%d" % flows


def cycles_text(system):
    if not system:
        return "-"
    if "failed" in system:
        return "failed"
    text = "%.0f" % system["cycles"]
    if len(system["rounds"]) > 1:
        text += " (%.0f-%.0f)" % (system["low"], system["high"])
    if system["lost"] >= 0.0005:
        text += ", loses %.0f %%" % (100 * system["lost"]) if system["lost"] >= 0.01 else ", loses %.2f %%" % (100 * system["lost"])
    return text


def ratio_text(ratio, target):
    if ratio is None:
        return "-" if target is None else "- (<= %g)" % target
    text = "%.3f" % ratio if ratio < 0.1 else "%.2f" % ratio
    return text if target is None else "%s (<= %g)" % (text, target)


def verdict(met, faults=()):
    word = {True: "yes", False: "**no**", None: "-"}[met]
    return word + (": " + "; ".join(faults) if faults else "")


def failures(rows, label):
    lines = []
    for row in rows:
        for name, system in row["systems"].items():
            if "failed" in system:
                lines.append("* %s, %s: %s" % (row[label] + (", %s flows" % flows_text(row["flows"]) if "flows" in row else ""),
                                               NAMES[name], system["failed"].splitlines()[0]))
    return lines


STAGES = ("rx", "parse", "emc", "tss", "actions", "tx")


def stages(rows):
    """What Sluice's cycles per packet are spent on, as `sluicectl pmd` tells them."""
    lines = []
    for row in rows:
        spent = row["systems"].get(SLUICE, {}).get("stages")
        if spent:
            cells = [row["title"], flows_text(row["flows"])] + ["%.0f" % spent[stage] for stage in STAGES]
            lines.append("| %s |" % " | ".join(cells))
    if not lines:
        return []
    return ["", "What Sluice's cycles are spent on, from one burst in sixteen:", "",
            "| case | flows | %s |" % " | ".join(STAGES), "|---|---|%s" % ("---|" * len(STAGES))] + lines


def markdown(results):
    machine = results["machine"]
    lines = ["%s, %d cores, %s, %d MB, %s, kernel %s%s. %s. `%s`, %d round%s." % (
        machine["cpu"], machine["cores"], ", ".join(machine["caches"]), machine["memory_mb"], machine["system"], machine["kernel"],
        ", a virtual machine" if machine["virtual"] else "", results["date"], results["command"], results["rounds"],
        "s" if results["rounds"] > 1 else ""), ""]
    if results["cases"]:
        lines += ["Cycles per packet of the poll-mode core (TSC), median (lowest-highest round); ratios with their targets.", "",
                  "| case | flows | floor | OVS-DPDK | Sluice | to OVS | to floor | met |", "|---|---|---|---|---|---|---|---|"]
        for row in results["cases"]:
            s = row["systems"]
            lines.append("| %s | %s | %s | %s | %s | %s | %s | %s |" % (
                row["title"], flows_text(row["flows"]), cycles_text(s.get(FLOOR)), cycles_text(s.get(OVS)), cycles_text(s.get(SLUICE)),
                ratio_text(row["vs_ovs"], row["target_vs_ovs"]), ratio_text(row["vs_floor"], row["target_vs_floor"]),
                verdict(row["met"], row["faults"])))
    if any(row["figures"] for row in results["scenarios"]):
        lines += ["", "| figure | OVS-DPDK | Sluice | to OVS | target | met |", "|---|---|---|---|---|---|"]
        for row in results["scenarios"]:
            for f in row["figures"]:
                target = "-" if f["target"] is None else "%s %g%s" % (
                    ">=" if f["at_least"] else "<=", f["target"], " of OVS" if f["relative"] else "")
                lines.append("| %s | %s | %s | %s | %s | %s |" % (f["what"], number(f[OVS]), number(f[SLUICE]), number(f["ratio"]),
                                                                  target, verdict(f["met"])))
    lines += stages(results["cases"])
    failed = failures(results["cases"], "title") + failures(results["scenarios"], "title")
    if failed:
        lines += ["", "Not measured:", ""] + failed
    return "\n".join(lines) + "\n"


def add(results, directory):
    """What is in the directory, with what was measured now in its place: the machine and versions are those of now."""
    path = os.path.join(directory, "results.json")
    if not os.path.exists(path):
        return results
    with open(path) as file:
        before = json.load(file)

    def keys(rows):
        return [(row.get("case") or row.get("scenario"), row.get("flows")) for row in rows]

    for kind in ("cases", "scenarios"):
        new = dict(zip(keys(results[kind]), results[kind]))
        merged = [new.pop(key, row) for key, row in zip(keys(before[kind]), before[kind])]
        results[kind] = in_order(merged + list(new.values()))
    results["command"] = before["command"] if before["command"].endswith("and again in part") else before["command"] + ", and again in part"
    results["rounds"] = min(results["rounds"], before["rounds"])
    return results


def in_order(rows):
    names = [case.name for case in CASES]
    return sorted(rows, key=lambda row: (names.index(row["case"]), row["flows"]) if "case" in row else (0, 0))


BEGIN, END = "<!-- results: scripts/bench --document -->", "<!-- end of results -->"


def document(results, docs):
    """Replaces the table and the picture in docs/performance.md."""
    path = os.path.join(docs, "performance.md")
    with open(path) as file:
        text = file.read()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with open(path, "w") as file:
        file.write("%s%s\n\n%s\n%s%s" % (before, BEGIN, markdown(results), END, after))
    drawing = picture.draw(results)
    if drawing:
        with open(os.path.join(docs, "performance.svg"), "w") as file:
            file.write(drawing)


def write(results, directory):
    with open(os.path.join(directory, "results.json"), "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    with open(os.path.join(directory, "results.md"), "w") as file:
        file.write(markdown(results))
    drawing = picture.draw(results)
    if drawing:
        with open(os.path.join(directory, "results.svg"), "w") as file:
            file.write(drawing)
