"""Changes Open vSwitch's database at random, beside traffic, and says whether the switch is what a fresh start from the same database would be.

    churn.py SEED STEPS DIRECTORY PID    in the namespaces of a box (box.sh)

DIRECTORY is for logs; the other ends of the interfaces h0, h1, ...: e0, e1, ... are where process PID is. The switch is started, killed and ended
from here: `ovs-vswitchd` in PATH, SLUICECTL in the environment. What fails says the seed and the step; the log has all commands.
"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(__file__))
import churn_traffic

RUN = "/run/openvswitch"
WIRES = [f"h{i}" for i in range(6)]
BRIDGES = ["br0", "br1", "br2"]
INTERNAL = [f"i{i}" for i in range(4)]
TUNNELS = [f"t{i}" for i in range(5)]
GUESTS = [f"g{i}" for i in range(2)]
PATCHES = [(f"a{i}", f"b{i}") for i in range(3)]
MIRRORS = ["m0", "m1", "m2"]
OFCTL = ["ovs-ofctl", "-O", "OpenFlow10,OpenFlow13,OpenFlow15", "-t", "20"]
ABSURD = ["-1", "0", "1", "x", "", "NaN", "1e9", " 7", "2147483647", "2147483648", "4294967296", "9223372036854775807", "18446744073709551616", "9" * 40]


class Broken(Exception):
    pass


class Switch:
    def __init__(self, directory):
        self.directory, self.pid, self.n = directory, 0, 0
        self.ctl = os.environ.get("SLUICECTL", "sluicectl")
        self.log = open(f"{directory}/commands.log", "w", buffering=1)

    def run(self, *words, check=True, patience=60):
        self.log.write(f"{time.time():.3f} {' '.join(words)}\n")
        done = subprocess.run(words, capture_output=True, text=True, timeout=patience)
        if done.returncode:
            self.log.write(f"  -> {done.returncode}: {done.stdout}{done.stderr}\n")
            if check:
                raise Broken(f"{' '.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout

    def vsctl(self, *words, wait=True, check=True):
        """With `wait`, returns when the switch is as the database says."""
        return self.run("ovs-vsctl", "--timeout=40", *(() if wait else ("--no-wait",)), *words, check=check)

    def appctl(self, *words, check=True):
        return self.run("ovs-appctl", "-T", "20", *words, check=check)

    def show(self, *words):
        return json.loads(self.run(self.ctl, "-t", f"{RUN}/ovs-vswitchd.{self.pid}.ctl", "--json", *words))

    def start(self):
        self.n += 1
        self.run("ovs-vswitchd", f"unix:{RUN}/db.sock", "-vconsole:emer", "-vsyslog:off", "--no-chdir", "--pidfile", "--detach",
                 f"--log-file={self.directory}/ovs-vswitchd.log", patience=120)
        with open(f"{RUN}/ovs-vswitchd.pid") as file:
            self.pid = int(file.read())
        with open(f"{self.directory}/on_exit", "a") as file:
            file.write(f"pid {self.pid}\n")

    def gone(self):
        """A process is a zombie while threads of it still end, which hold its files."""
        for _ in range(600):
            try:
                if len(os.listdir(f"/proc/{self.pid}/task")) == 1 and open(f"/proc/{self.pid}/stat").read().rpartition(")")[2].split()[0] == "Z":
                    return
            except FileNotFoundError:
                return
            time.sleep(0.05)
        raise Broken("the switch does not end")

    def kill(self):
        self.alive()
        os.kill(self.pid, signal.SIGKILL)
        self.gone()

    def end(self):
        self.alive()
        os.kill(self.pid, signal.SIGTERM)
        self.gone()

    def alive(self):
        if not os.path.exists(f"/proc/{self.pid}"):
            raise Broken("the switch is gone")


class Churn:
    """What there is by the database is asked of it; what there may be is above."""

    def __init__(self, switch, rng):
        self.switch, self.rng = switch, rng

    # --- what there is

    def ports(self, bridge):
        return self.switch.vsctl("list-ports", bridge, wait=False).split()

    def bridges(self):
        return self.switch.vsctl("list-br", wait=False).split()

    def interfaces(self):
        return [name for br in self.bridges() for name in self.switch.vsctl("list-ifaces", br, wait=False).split()]

    def free(self, names):
        taken = set(self.interfaces())
        return [name for name in names if name not in taken]

    def a_port(self):
        ports = [(br, port) for br in self.bridges() for port in self.ports(br)]
        return self.rng.choice(ports) if ports else (None, None)

    def a_bridge(self):
        bridges = self.bridges()
        return self.rng.choice(bridges) if bridges else None

    def number(self, *usual):
        return self.rng.choice(ABSURD) if self.rng.random() < 0.2 else str(self.rng.choice(usual))

    def change(self, *words):
        """What the database refuses is no fault: absurd numbers among it."""
        self.switch.vsctl(*words, wait=self.rng.random() < 0.6, check=False)

    # --- changes

    def bridge(self):
        missing = [br for br in BRIDGES if br not in self.bridges()]
        if missing and self.rng.random() < 0.8:
            mode = self.rng.choice(["secure", "standalone"])
            self.change("add-br", missing[0], "--", "set-fail-mode", missing[0], mode)
        elif self.rng.random() < 0.3:
            self.change("--if-exists", "del-br", self.rng.choice(BRIDGES))

    def fail_mode(self):
        self.change("set-fail-mode", self.a_bridge(), self.rng.choice(["secure", "secure", "standalone"]))

    def add_wire(self):
        free = self.free(WIRES)
        if free:
            self.change("add-port", self.a_bridge(), self.rng.choice(free))

    def add_bond(self):
        free = self.free(WIRES)
        if len(free) >= 2:
            members = self.rng.sample(free, self.rng.randint(2, len(free)))
            name = self.rng.choice(["bond0", members[0]])
            self.change("add-bond", self.a_bridge(), name, *members, "--", "set", "Port", name,
                        "bond_mode=" + self.rng.choice(["active-backup", "balance-slb", "balance-tcp"]), "lacp=" + self.rng.choice(["off", "active", "passive"]))

    def bond_member(self):
        """A bond gets an interface more, or one less."""
        br, port = self.a_port()
        if not port:
            return
        members = self.switch.vsctl("--bare", "get", "Port", port, "interfaces", wait=False, check=False).strip("[]\n ").split(", ")
        free = self.free(WIRES)
        if len(members) > 1 and self.rng.random() < 0.5:
            self.change("remove", "Port", port, "interfaces", self.rng.choice(members))
        elif free and port in WIRES + ["bond0"]:
            self.change("--id=@i", "create", "Interface", f"name={free[0]}", "--", "add", "Port", port, "interfaces", "@i")

    def bond_options(self):
        _, port = self.a_port()
        if port:
            self.change("set", "Port", port, self.rng.choice([
                "bond_mode=" + self.rng.choice(["active-backup", "balance-slb", "balance-tcp"]),
                "lacp=" + self.rng.choice(["off", "active", "passive"]),
                f"bond_updelay={self.number(0, 100, 2000)}",
                f"bond_downdelay={self.number(0, 100)}",
                f"other_config:bond-rebalance-interval={self.number(0, 1000, 10000)}",
                f"other_config:bond-hash-basis={self.number(0, 5)}",
                "other_config:lacp-time=" + self.rng.choice(["fast", "slow", "x"]),
                f"other_config:lacp-system-priority={self.number(1, 5)}",
                "other_config:lacp-fallback-ab=" + self.rng.choice(["true", "false"]),
                "other_config:bond-primary=" + self.rng.choice(WIRES)]))

    def bond_by_hand(self):
        for bond in self.switch.show("bond/list"):
            names = [member["name"] for member in bond["members"]]
            if names:
                verb = self.rng.choice(["enable-member", "disable-member", "set-active-member"])
                self.switch.appctl(f"bond/{verb}", bond["name"], self.rng.choice(names), check=False)
                self.switch.appctl("bond/migrate", bond["name"], str(self.rng.randint(0, 255)), self.rng.choice(names), check=False)

    def add_internal(self):
        free = self.free(INTERNAL)
        if free:
            self.change("add-port", self.a_bridge(), free[0], "--", "set", "Interface", free[0], "type=internal", f"mtu_request={self.number(1500, 9000)}")

    def add_patch(self):
        for a, b in PATCHES:
            if a in self.free([a]) and b in self.free([b]):
                self.change("add-port", self.a_bridge(), a, "--", "set", "Interface", a, "type=patch", f"options:peer={b}",
                            "--", "add-port", self.a_bridge(), b, "--", "set", "Interface", b, "type=patch", f"options:peer={a}")
                return

    def add_tunnel(self):
        free = self.free(TUNNELS)
        if free:
            kind = self.rng.choice(["vxlan", "geneve", "gre", "erspan", "gtpu"])
            remote = self.rng.choice(["flow", "10.9.0.2", "10.9.0.3", "nonsense"])
            self.change("add-port", self.a_bridge(), free[0], "--", "set", "Interface", free[0], f"type={kind}", f"options:remote_ip={remote}",
                        f"options:key={self.number(1, 2, 'flow')}", f"bfd:enable={self.rng.choice(['true', 'false'])}")

    def add_guest(self):
        free = self.free(GUESTS)
        if free:
            self.change("add-port", self.a_bridge(), free[0], "--", "set", "Interface", free[0], "type=dpdkvhostuserclient",
                        f"options:vhost-server-path={RUN}/{free[0]}.sock")

    def del_port(self):
        _, port = self.a_port()
        if port:
            self.change("--if-exists", "del-port", port)

    def change_type(self):
        _, port = self.a_port()
        if port and port in self.interfaces():
            self.change("set", "Interface", port, "type=" + self.rng.choice(["internal", "system", "patch", "nonsense"]))

    def vlans(self):
        _, port = self.a_port()
        if port:
            self.change(*self.rng.choice([
                ("set", "Port", port, f"tag={self.number(10, 11)}"), ("clear", "Port", port, "tag"),
                ("set", "Port", port, "trunks=10,11"), ("clear", "Port", port, "trunks"),
                ("set", "Port", port, "vlan_mode=" + self.rng.choice(["access", "trunk", "native-tagged", "native-untagged"]))]))

    def ofport(self):
        interfaces = self.interfaces()
        if interfaces:
            self.change("set", "Interface", self.rng.choice(interfaces), f"ofport_request={self.number(1, 2, 3, 7, 65279, 65280)}")

    def mirror(self):
        br = self.a_bridge()
        ports = self.ports(br)
        if not ports or self.rng.random() < 0.3:
            self.change("clear", "Bridge", br, "mirrors")
            return
        src, dst, out = (self.rng.choice(ports) for _ in range(3))
        where = self.rng.choice([("output-port=@o",), ("output-vlan=" + self.number(10, 99),)])
        which = self.rng.choice([("select-all=true",), ("select-src-port=@s", "select-dst-port=@d"), ("select-src-port=@s", "select-vlan=10,11")])
        named = [word for name, port in (("@s", src), ("@d", dst), ("@o", out)) for word in (f"--id={name}", "get", "Port", port, "--")]
        self.change(*named, "--id=@m", "create", "Mirror", f"name={self.rng.choice(MIRRORS)}", *which, *where,
                    *self.rng.choice([(), ("snaplen=60",)]), "--", "add", "Bridge", br, "mirrors", "@m")

    def qos(self):
        """One row for several ports, or none."""
        ports = [port for br in self.bridges() for port in self.ports(br)]
        if not ports:
            return
        some = self.rng.sample(ports, self.rng.randint(1, min(4, len(ports))))
        if self.rng.random() < 0.3:
            self.change("clear", "Port", self.rng.choice(some), "qos")
            return
        uses = [word for port in some for word in ("--", "set", "Port", port, "qos=@q")]
        if self.rng.random() < 0.3:
            self.change("--id=@q", "create", "QoS", "type=egress-policer", f"other_config:cir={self.number(1000, 1000000)}",
                        f"other_config:cbs={self.number(0, 1000)}", *uses)
            return
        self.change("--id=@q", "create", "QoS", "type=" + self.rng.choice(["linux-htb", "linux-hfsc", "linux-sfq", "linux-noop", "nonsense"]),
                    f"other_config:max-rate={self.number(1000, 10000000)}", "queues:0=@a", f"queues:{self.number(1, 5, 61440, 61441)}=@b",
                    "--", "--id=@a", "create", "Queue", f"other_config:max-rate={self.number(1, 1000000)}",
                    "--", "--id=@b", "create", "Queue", f"other_config:min-rate={self.number(5, 1000000)}", f"other_config:burst={self.number(0, 99999)}",
                    f"other_config:priority={self.number(0, 3)}", *uses)

    def queue(self):
        for uuid in self.switch.vsctl("--bare", "--columns=_uuid", "list", "Queue", wait=False).split()[:2]:
            self.change("set", "Queue", uuid, f"other_config:max-rate={self.number(100, 5000000)}")

    def policing(self):
        interfaces = self.interfaces()
        if interfaces:
            self.change("set", "Interface", self.rng.choice(interfaces), f"ingress_policing_{self.rng.choice(['rate', 'burst', 'kpkts_rate', 'kpkts_burst'])}="
                        f"{self.number(0, 1, 1000)}")

    def stp(self):
        br = self.a_bridge()
        _, port = self.a_port()
        self.change("set", "Bridge", br, self.rng.choice(["stp_enable=true", "stp_enable=true", "stp_enable=false"]),
                    f"other_config:stp-priority={self.number(0, 32768)}", f"other_config:stp-max-age={self.number(6, 20)}",
                    f"other_config:stp-forward-delay={self.number(4, 15)}", f"other_config:stp-hello-time={self.number(1, 2)}")
        if port:
            self.change("set", "Port", port, self.rng.choice([f"other_config:stp-port-num={self.number(1, 2, 255)}",
                                                              f"other_config:stp-path-cost={self.number(1, 65535)}", "other_config:stp-enable=false"]))

    def affinity(self):
        interfaces = self.interfaces()
        if interfaces:
            self.change("set", "Interface", self.rng.choice(interfaces),
                        "other_config:pmd-rxq-affinity=\"" + self.rng.choice(["0:0", "0:1", "0:1,1:0", "9:9", "x", "0:99999999999", ""]) + "\"")

    def threads(self):
        self.change("set", "Open_vSwitch", ".", self.rng.choice([
            "other_config:pmd-rxq-isolate=" + self.rng.choice(["true", "false"]), f"other_config:max-idle={self.number(500, 10000)}",
            f"other_config:flow-limit={self.number(1000, 200000)}", "other_config:pmd-maxsleep=500",
            "other_config:pmd-cpu-mask=" + self.rng.choice(["1", "2", "3", "0", "x", "f" * 16])]))
        self.switch.appctl("dpif-netdev/pmd-rxq-rebalance", check=False)

    def controller(self):
        br = self.a_bridge()
        self.change(*self.rng.choice([("set-controller", br, "tcp:127.0.0.1:1", "ptcp:0:127.0.0.1"), ("del-controller", br),
                                      ("set-controller", br, "nonsense", "unix:/etc/passwd"), ("set", "Bridge", br, "protocols=OpenFlow13,OpenFlow15")]))

    def several(self):
        """Much in one transaction."""
        _, a = self.a_port()
        _, b = self.a_port()
        free = self.free(WIRES)
        if a and b and free:
            self.change("--if-exists", "del-port", a, "--", "--if-exists", "del-port", b, "--", "add-port", self.a_bridge(), free[0], "tag=10")

    def rules(self):
        br = self.a_bridge()
        text = "".join(f"table={self.rng.randint(0, 1)},priority={self.rng.randint(1, 9)},in_port={self.rng.randint(1, 9)},actions="
                       f"{self.rng.choice(['normal', 'output:1,output:2', 'set_queue:1,normal', 'mod_vlan_vid:10,normal', 'resubmit(,1)', 'drop'])}\n"
                       for _ in range(self.rng.randint(1, 20)))
        with open(f"{self.switch.directory}/rules", "w") as file:
            file.write(text + "priority=0,actions=normal\n")
        self.switch.run(*OFCTL, "add-flows", f"unix:{RUN}/{br}.mgmt", f"{self.switch.directory}/rules", check=False)
        if self.rng.random() < 0.3:
            self.switch.run(*OFCTL, "del-flows", f"unix:{RUN}/{br}.mgmt", f"in_port={self.rng.randint(1, 9)}", check=False)

    def link(self):
        wire = self.rng.choice(WIRES)
        self.switch.run("ip", "link", "set", wire, self.rng.choice(["up", "up", "down"]), check=False)

    def wire_goes(self):
        wire = self.rng.choice(WIRES)
        self.switch.run("ip", "link", "del", wire, check=False)
        time.sleep(self.rng.random() / 4)
        wire_up(self.switch, wire)

    def database(self):
        """Its server dies, and another one takes its place."""
        with open(f"{RUN}/ovsdb-server.pid") as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.01)
        self.switch.run("ovsdb-server", f"{RUN}/conf.db", f"--remote=punix:{RUN}/db.sock", "--pidfile", "--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off",
                        f"--log-file={self.switch.directory}/ovsdb-server.log")
        with open(f"{RUN}/ovsdb-server.pid") as file, open(f"{self.switch.directory}/on_exit", "a") as on_exit:
            on_exit.write(f"pid {int(file.read())}\n")

    def restart(self):
        if self.rng.random() < 0.8:
            self.switch.kill()
        else:
            self.switch.end()
        time.sleep(self.rng.random() / 4)
        self.switch.start()

    CHANGES = {"bridge": 4, "fail_mode": 1, "add_wire": 6, "add_bond": 4, "bond_member": 3, "bond_options": 4, "bond_by_hand": 1, "add_internal": 3,
               "add_patch": 3, "add_tunnel": 4, "add_guest": 1, "del_port": 5, "change_type": 1, "vlans": 4, "ofport": 2, "mirror": 5, "qos": 5,
               "queue": 2, "policing": 3, "stp": 3, "affinity": 2, "threads": 2, "controller": 2, "several": 3, "rules": 5, "link": 3, "wire_goes": 1,
               "restart": 1, "database": 1}

    def step(self):
        name = self.rng.choices(list(self.CHANGES), self.CHANGES.values())[0]
        if not self.bridges():
            name = "bridge"
        self.switch.log.write(f"# {name}\n")
        getattr(self, name)()
        self.switch.alive()


def wire_up(switch, wire):
    peer = wire.replace("h", "e")
    switch.run("ip", "link", "add", wire, "type", "veth", "peer", "name", peer, "netns", switch.hosts)
    with open(f"/proc/sys/net/ipv6/conf/{wire}/disable_ipv6", "w") as file:
        file.write("1")
    switch.run("ip", "link", "set", wire, "up")
    switch.run("nsenter", "-t", switch.hosts, "-n", "ip", "link", "set", peer, "up")


# --- what a switch is -------------------------------------------------------------------------------------------------------------------


def rows(switch, table, *columns):
    out = json.loads(switch.vsctl("--format=json", f"--columns={','.join(columns)}", "list", table, wait=False))
    return sorted(json.dumps(dict(zip(out["headings"], row)), sort_keys=True) for row in out["data"])


def rules_of(switch, bridge):
    out = switch.run(*OFCTL, "dump-flows", "--no-stats", "--no-names", f"unix:{RUN}/{bridge}.mgmt")
    return sorted(line.strip() for line in out.splitlines() if "actions=" in line)


def only(rows_, *keys):
    return sorted((json.dumps({key: row[key] for key in keys if key in row}, sort_keys=True) for row in rows_))


def describe(switch, with_rules):
    """All of it that does not depend on when it was made, and what went through it."""
    seen = {"ports": only(switch.show("ports"), "bridge", "name", "ofport", "driver", "mtu", "mac", "rx_queues", "peer", "error"),
            "database": rows(switch, "Interface", "name", "ofport", "error", "admin_state", "link_state", "mac_in_use", "mtu", "ifindex"),
            "scheduling": re.sub(r" refcnt \S+", "", switch.run("sh", "-c", "tc qdisc show; for i in h0 h1 h2 h3 h4 h5; do tc class show dev $i; done",
                                                               check=False)),
            "interfaces": sorted(json.dumps([link["ifname"], link["address"]]) for link in json.loads(switch.run("ip", "-j", "link"))),
            "tunnels": sorted(re.sub(r" \(\d+\)|^\s+", "", line) for line in switch.appctl("tnl/ports/show").splitlines())}
    bridges = switch.show("bridges")
    seen["bridges"] = only(bridges, "name", "datapath_id", "fail_mode", "learning_switch", "ports")
    bridges.sort(key=lambda br: br["name"])
    seen["mirrors"] = [[br["name"], only(br["mirrors"], "name", "output_port", "output_vlan", "has_output")] for br in bridges]
    seen["controllers"] = [[br["name"], only([c for c in br["connections"] if c["controller"]], "target")] for br in bridges]
    bonds = switch.show("bond/list")
    seen["bonds"] = only([{**bond, "members": sorted(m["name"] for m in bond["members"])} for bond in bonds], "name", "bridge", "mode", "updelay_ms",
                         "downdelay_ms", "hash_basis", "rebalance_ms", "members")
    seen["lacp"] = sorted(re.findall(r"^---- (\S+) ----$", switch.appctl("lacp/show"), re.M))
    # Numbers of ports in trees that did not ask for one go by who came first.
    seen["trees"] = sorted(json.dumps([tree["bridge"], tree["bridge_id"], only(tree["ports"], "name", "priority")]) for tree in switch.show("stp/show"))
    seen["qos"] = []
    for name in sorted(port["name"] for port in switch.show("ports")):
        qos = switch.show("qos/show", name)
        for queue in qos.get("queues", []):
            for key in ("tx_packets", "tx_bytes", "tx_errors"):
                queue.pop(key)
        seen["qos"].append(json.dumps([name, qos], sort_keys=True))
    seen["rules"] = []
    for br in bridges:
        if with_rules and br["fail_mode"] == "secure":
            seen["rules"] += [f"{br['name']} {rule}" for rule in rules_of(switch, br["name"])]
    return seen


def settled(switch, with_rules):
    """What it says once it says the same for a while: links and addresses come by and by."""
    before = None
    for _ in range(40):
        now = describe(switch, with_rules)
        if now == before:
            return now
        before = now
        time.sleep(0.4)
    raise Broken("the switch does not come to rest")


def same(a, b, what):
    for key in a:
        if a[key] != b[key]:
            x, y = ([value] if isinstance(value, str) else value for value in (a[key], b[key]))
            gone, new = [v for v in x if v not in y], [v for v in y if v not in x]
            raise Broken(f"{what}: {key}:\n  it was     {gone or x}\n  afresh it is {new or y}")


def resources(switch):
    """Counts of what a process has; and what there is beside it."""
    pid, counts = switch.pid, {"threads": len(os.listdir(f"/proc/{switch.pid}/task"))}
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            kind = re.sub(r"\d{2,}|\[\d+\]", "N", os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            continue
        counts[kind] = counts.get(kind, 0) + 1
    memory = dict(word.split(":") for word in switch.appctl("memory/show").split())
    return counts, {
        "interfaces": sorted(os.listdir("/sys/class/net")),
        "files": sorted(name for name in os.listdir(RUN) if not re.search(r"\.(pid|ctl|log|sock)$|^rte|^dpdk", name)),
        "memory": {key: memory[key] for key in ("macs", "megaflows", "neighbours", "ports", "programs", "rules", "ofconns")}}


def nothing_left(switch):
    """As in a process that never had anything, but for threads and their sockets that are made when they are first needed."""
    (used, beside), rss = resources(switch), resident(switch.pid)
    switch.end()
    switch.start()
    fresh, beside_fresh = resources(switch)
    more = {kind: n - fresh.get(kind, 0) for kind, n in used.items() if n > fresh.get(kind, 0) + (40 if kind == "threads" else 2)}
    if more:
        raise Broken(f"when nothing is left, there are more than in a process that had nothing: {more}")
    same(beside, beside_fresh, "when nothing is left")
    print(f"  nothing is left: {sum(used.values()) - used['threads']} descriptors, {used['threads']} threads, {rss} kB;"
          f" afresh {sum(fresh.values()) - fresh['threads']}, {fresh['threads']}, {resident(switch.pid)} kB")


def resident(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"RssAnon:\s+(\d+)", file.read())[1])


def check(switch):
    """Killed and started: the same, and so it is after an orderly end, but for rules."""
    switch.vsctl("set", "Open_vSwitch", ".", f"external_ids:n={switch.n}")  # all that was said with --no-wait is applied
    before = settled(switch, True)
    flows = switch.show("flows")
    turn = f"{flows['longest_turn_own_us']} us on its core"
    turn += "".join(f", {job['name']} {job['longest_own_us']}" for job in flows["jobs"] if job["longest_own_us"] > 2000)
    switch.kill()
    switch.start()
    same(before, settled(switch, True), "after a kill")
    before = settled(switch, False)
    switch.end()
    switch.start()
    same(before, settled(switch, False), "after an orderly end")
    return turn


def empty(switch):
    for br in switch.vsctl("list-br", wait=False).split():
        switch.vsctl("del-br", br)
    for _ in range(100):
        if not switch.show("ports") and not switch.show("bridges"):
            break
        time.sleep(0.1)
    time.sleep(1)


def main():
    seed, steps, directory, hosts = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]
    switch = Switch(directory)
    switch.hosts = hosts
    churn = Churn(switch, random.Random(seed))
    for wire in WIRES:
        wire_up(switch, wire)
    switch.start()
    stop = threading.Event()
    traffic = threading.Thread(target=churn_traffic.run, args=(hosts, [wire.replace("h", "e") for wire in WIRES], seed, stop))
    traffic.start()
    step = 0
    try:
        for step in range(1, steps + 1):
            churn.step()
            if step % 50 == 0 or step == steps:
                began = time.time()
                turn = check(switch)
                print(f"  {step} changes: the same after a kill, and afresh ({time.time() - began:.0f} s); longest turn {turn}", flush=True)
        for _ in range(min(steps, 30)):  # in one process, without a restart
            churn.CHANGES = {**Churn.CHANGES, "restart": 0}
            churn.step()
        stop.set()
        empty(switch)
        nothing_left(switch)
    except (Broken, subprocess.TimeoutExpired) as fault:
        sys.exit(f"SEED={seed}, step {step}: {fault}")
    finally:
        stop.set()
        traffic.join()


main()
