#!/usr/bin/python3
"""Packet cases: rules, a packet into h1, and what must come out where, byte for byte.

    cases.py MGMT VERSION MODULE...

Installs the rules of all cases of the MODULEs over one version of OpenFlow, then sends each packet twice: once that nothing is known of, once
by what the first one left behind. Many go out together; if what arrives is wrong, one after the other, to tell which. A module has CASES, each
made by case() or either().

A case's rules have its source address as a match of their own, so that all are there at once; in the packets SRC stands for that address.
Rules that begin with "table={t}" ({u}, {v}) are in tables of the case alone.
"""
import importlib
import itertools
import subprocess
import sys
import time

from packet import Host

SRC, DST = "02:00:00:00:00:01", "02:00:00:00:00:dd"
VERSIONS = ("OpenFlow10", "OpenFlow13", "OpenFlow14", "OpenFlow15")
TOGETHER = 24  # cases: what a port may have unresolved at once is limited
HOSTS = {1: "h1", 2: "h2", 3: "h3"}
FENCE_RULE = "priority=65000,in_port=1,dl_type=0x88b6,actions=multipath(eth_src,0,modulo_n,1000,0,NXM_NX_REG15[]),output:2,output:3,in_port"


def to_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


class Case:
    def __init__(self, name, rules, sent, expected, since, until):
        self.name, self.rules, self.sent, self.expected, self.since, self.until = name, rules, sent, expected, since, until


def case(name, rules, sent, expected, since="OpenFlow10", until="OpenFlow15"):
    """`rules`: text or a list of it; `expected`: {host number: packet, or list of packets}. Only over versions `since` to `until`."""
    rules = [rules] if isinstance(rules, str) else rules
    expected = {host: [bytes(p) for p in (what if isinstance(what, list) else [what])] for host, what in expected.items()}
    return Case(name, rules, bytes(sent), expected, since, until)


def either(name, match, yes, no, **versions):
    """A match: packets `yes` (one or a list) go to h2, `no` to h3."""
    rules = ["priority=200,in_port=1,%s,actions=output:2" % match, "in_port=1,actions=output:3"]
    for host, packets in ((2, yes), (3, no)):
        for packet in packets if isinstance(packets, list) else [packets]:
            yield case("%s: %s" % (name or match, "no" if host == 3 else "yes"), rules, packet, {host: packet}, **versions)


class Bed:
    def __init__(self, mgmt, version):
        self.mgmt, self.version = mgmt, version
        self.hosts = {number: Host(name) for number, name in HOSTS.items()}
        self.fences = itertools.count(1)

    def ofctl(self, *words, **more):
        return subprocess.run(["ovs-ofctl", "-t", "60", "-O", self.version, words[0], self.mgmt, *words[1:]], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **more)

    def install(self, lines):
        """False, and says which, if the switch or ovs-ofctl refuses one."""
        done = self.ofctl("add-flows", "-", input="\n".join(lines))
        if done.returncode == 0:
            return True
        print("over %s: %s" % (self.version, done.stdout))
        for line in lines:
            done = self.ofctl("add-flow", line)
            if done.returncode:
                print("%s\n  %s" % (line, done.stdout.splitlines()[0]))
        return False

    def fence(self, got, wanted):
        """Sends a packet that comes to all hosts, and takes frames until it is there, and `wanted` of others, or time is over."""
        mark = b"\x02\xfe" + next(self.fences).to_bytes(4, "big")
        self.hosts[1].send(to_bytes(DST) + mark + b"\x88\xb6" + bytes(50))
        end = time.monotonic() + 10
        for number, host in self.hosts.items():
            fenced = False
            while time.monotonic() < end and not (fenced and len(got[number]) >= wanted[number]):
                for frame in host.receive(max(0.01, end - time.monotonic()), 1):
                    if frame[12:14] != b"\x88\xb6":
                        got[number].append(frame)
                    elif frame[6:12] == mark:
                        fenced = True
            if not fenced:
                raise SystemExit("nothing passes any more")

    def run(self, cases):
        """What is wrong with these cases, all at once; cases are pairs of a Case and its source."""
        got = {number: [] for number in self.hosts}
        expected = {number: [frame.replace(to_bytes(SRC), source) for one, source in cases for frame in one.expected.get(number, [])]
                    for number in self.hosts}
        for n in (1, 2):
            for one, source in cases:
                self.hosts[1].send(one.sent.replace(to_bytes(SRC), source))
            self.fence(got, {number: n * len(frames) for number, frames in expected.items()})
        # A packet may have gone through more than one lookup, and each may have been a miss.
        self.fence(got, dict.fromkeys(self.hosts, 0))
        wrong = []
        for number, left in expected.items():
            left = left * 2
            for frame in got[number]:
                if frame in left:
                    left.remove(frame)
                else:
                    wrong.append("h%d got        %s" % (number, frame.hex()))
            wrong += ["h%d instead of %s" % (number, frame.hex()) for frame in left]
        return wrong


def main():
    mgmt, version = sys.argv[1:3]
    cases = [one for name in sys.argv[3:] for one in importlib.import_module(name).CASES]
    cases = [one for one in cases if VERSIONS.index(one.since) <= VERSIONS.index(version) <= VERSIONS.index(one.until)]
    bed, failed, sources = Bed(mgmt, version), 0, []
    lines, tables = [FENCE_RULE], itertools.count(1)
    for i, one in enumerate(cases):
        source = "02:00:00:01:%02x:%02x" % (i >> 8, i & 0xFF)
        sources.append(to_bytes(source))
        own_tables = {name: next(tables) for name in "tuv" if any("{%s}" % name in rule for rule in one.rules)}
        for rule in one.rules:
            rule = rule if rule.startswith("table={") else "dl_src=%s,%s" % (source, rule)
            rule = rule if "priority=" in rule else "priority=100," + rule
            for name, number in own_tables.items():
                rule = rule.replace("{%s}" % name, str(number))
            lines.append(rule)
    if not bed.install(lines):
        sys.exit(1)
    pairs = list(zip(cases, sources))
    for at in range(0, len(pairs), TOGETHER):
        some = pairs[at:at + TOGETHER]
        wrong = bed.run(some)
        if not wrong:
            continue
        failed += 1
        print("%d to %d, %s: %s" % (at, at + len(some) - 1, version, "\n  ".join(wrong[:4])))
        for one, source in some:
            wrong = bed.run([(one, source)])
            if wrong:
                print("%s, %s\n  %s" % (one.name, version, "\n  ".join(one.rules + ["sent          " + one.sent.hex()] + wrong)), flush=True)
    print("%d cases over %s%s" % (len(cases), version, ", and some failed" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    sys.modules["cases"] = sys.modules["__main__"]
    main()
