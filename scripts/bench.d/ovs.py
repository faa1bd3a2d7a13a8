"""Open vSwitch with DPDK, as Debian packages it: all its files in the temporary directory, one poll-mode thread."""
import os
import re
import shutil
import subprocess
import time

import tunnels
from floor import PMD_CORE
from machine import Share, pinned_thread
from process import Failed, Process, run

DAEMON = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
# OVS sizes its pools itself: 262144 buffers for packets of 1500 bytes.
MEMORY_MB = 1024
MAX_PACKETS = 200000


class Ovs:
    name = "ovs"

    def __init__(self, directory):
        self.directory = os.path.join(directory, "ovs")
        self.daemon = self.database = self.share = None

    @staticmethod
    def memory_mb(_setup):
        return MEMORY_MB

    def vsctl(self, *words):
        return run(["ovs-vsctl", "--db=unix:%s/db.sock" % self.directory, *words])

    def appctl(self, *words):
        return run(["ovs-appctl", "-T", "30", "-t", self.control, *words])

    @property
    def management(self):
        return "unix:%s/br0.mgmt" % self.directory

    @property
    def control(self):
        return self.directory + "/vswitchd.ctl"

    @property
    def pid(self):
        return self.daemon.pid

    def start_daemon(self, main_core=0, tso=False):
        shutil.rmtree(self.directory, ignore_errors=True)
        os.makedirs(self.directory)
        env = dict(os.environ, OVS_RUNDIR=self.directory, OVS_DBDIR=self.directory, OVS_LOGDIR=self.directory,
                   OVS_SYSCONFDIR=self.directory)
        run(["ovsdb-tool", "create", self.directory + "/conf.db", SCHEMA])
        self.database = Process("ovsdb-server", [
            "ovsdb-server", self.directory + "/conf.db", "--remote=punix:%s/db.sock" % self.directory,
            "--unixctl=%s/ovsdb.ctl" % self.directory, "--no-chdir"], self.directory, env=env)
        self.database.wait_for(lambda: os.path.exists(self.directory + "/db.sock"), 10, "socket")
        self.vsctl("--no-wait", "init")
        self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true", "other_config:dpdk-lcore-mask=0x%x" % (1 << main_core),
                   "other_config:pmd-cpu-mask=0x%x" % (1 << PMD_CORE), "other_config:userspace-tso-enable=%s" % str(tso).lower(),
                   "other_config:dpdk-extra=--file-prefix sluice-bench-ovs --no-pci -m %d --in-memory" % MEMORY_MB)
        # It places its threads itself: the poll-mode thread on its core, all others where dpdk-lcore-mask says.
        self.daemon = Process("ovs-vswitchd", [
            DAEMON, "unix:%s/db.sock" % self.directory, "--unixctl=%s/vswitchd.ctl" % self.directory, "--no-chdir"],
            self.directory, core="0-%d" % (os.cpu_count() - 1), env=env)
        self.daemon.wait_for(lambda: os.path.exists(self.directory + "/vswitchd.ctl"), 60, "control socket")
        self.vsctl("-t", "50", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev", "fail_mode=secure")

    def add_port(self, number, devargs):
        self.vsctl("-t", "60", "add-port", "br0", "p%d" % number, "--", "set", "Interface", "p%d" % number, "type=dpdk",
                   "ofport_request=%d" % number, "options:dpdk-devargs=" + devargs)

    def add_vhost(self, number, path):
        self.vsctl("-t", "60", "add-port", "br0", "p%d" % number, "--", "set", "Interface", "p%d" % number,
                   "type=dpdkvhostuserclient", "ofport_request=%d" % number, "options:vhost-server-path=" + path)

    def add_tunnel(self, tunnel):
        self.vsctl("-t", "60", "add-br", tunnels.BRIDGE, "--", "set", "bridge", tunnels.BRIDGE, "datapath_type=netdev",
                   "fail_mode=standalone", "other_config:hwaddr=" + tunnels.HERE_MAC, "--", "add-port", tunnels.BRIDGE, "u1", "--", "set",
                   "Interface", "u1", "type=dpdk", "options:dpdk-devargs=" + tunnel.devargs)
        tunnels.addresses(self.appctl)
        self.vsctl("-t", "60", "add-port", "br0", "t1", "--", "set", "Interface", "t1", "type=" + tunnel.type, "ofport_request=2",
                   "options:remote_ip=" + tunnels.PEER, "options:key=%d" % tunnels.KEY)

    def start(self, setup):
        if setup.packets > MAX_PACKETS:
            raise Failed("ovs: its packet pool of 262144 buffers does not hold this file")
        self.start_daemon(PMD_CORE if setup.kernel else 0, setup.tso)
        if setup.flow_limit:
            self.vsctl("set", "Open_vSwitch", ".", "other_config:flow-limit=%d" % setup.flow_limit)
        # Before traffic: beside it, OVS takes minutes for the larger sets.
        if setup.rules:
            self.load(setup.rules, bundle=True)
        for number, devargs in setup.ports:
            self.add_port(number, devargs)
        if setup.tunnel:
            self.add_tunnel(setup.tunnel)
        for number, path in setup.vhost:
            self.add_vhost(number, path)
        for number, ifname in setup.kernel:
            self.vsctl("-t", "60", "add-port", "br0", ifname, "--", "set", "Interface", ifname, "ofport_request=%d" % number)
        error = self.vsctl("--columns=name,error", "--format=list", "find", "Interface", "error!=[]")
        if error.strip():
            raise Failed("ovs: " + error.strip())
        self.find_pmd()

    def find_pmd(self):
        end = time.monotonic() + 10
        while True:
            task = pinned_thread(self.pid, PMD_CORE)
            if task or time.monotonic() > end:
                break
            time.sleep(0.1)
        self.share = Share(task) if task else None

    def load(self, path, bundle=False, timeout=900):
        """Seconds that it took, the client's own included."""
        options = ["-O", "OpenFlow14", "--bundle"] if bundle else ["-O", "OpenFlow13"]
        begin = time.monotonic()
        run(["ovs-ofctl", "-t", str(timeout), *options, "add-flows", self.management, path], timeout=timeout + 10)
        return time.monotonic() - begin

    def counters(self):
        text = self.appctl("dpif-netdev/pmd-stats-show", "-pmd", str(PMD_CORE))

        def number(name):
            found = re.search(r"^\s*%s:\s*([\d.]+)" % re.escape(name), text, re.M)
            return float(found.group(1)) if found else 0.0

        processing, idle = number("processing cycles"), number("idle cycles")
        return {
            "rx": number("packets received"), "processing": processing, "total": processing + idle,
            "simple": number("simple match hits"), "emc": number("emc hits"), "megaflow": number("megaflow hits"),
            "tuples": number("avg. subtable lookups per megaflow hit"), "upcalls": number("miss with success upcall"),
            "lost": number("miss with failed upcall"),
        }

    def unsettled(self):
        """Packets so far that no cache knew."""
        c = self.counters()
        return c["upcalls"] + c["lost"]

    def clear(self):
        self.appctl("dpif-netdev/pmd-stats-clear")

    def not_sent(self):
        """Packets that a port had no room for."""
        return sum(int(n) for n in re.findall(r"TX packets:\d+ errors:\S+ dropped:(\d+)", self.appctl("dpctl/show", "-s")))

    def measure(self, seconds):
        before = self.not_sent()
        self.clear()
        self.share.begin()
        time.sleep(seconds)
        c = self.counters()
        share = self.share.end()
        c["lost"] += self.not_sent() - before
        rx = max(c["rx"], 1)
        return {"cycles": c["processing"] * share / rx, "all_in": c["total"] * share / rx, "share": share, "lost": c["lost"] / rx,
                "port_program": c["simple"] / rx, "emc": c["emc"] / rx, "classifier": c["megaflow"] / rx,
                "tuples": c["tuples"], "rx": rx}

    def stop(self):
        if self.daemon and self.daemon.alive():
            try:  # ended by a signal it would leave its interfaces behind
                self.appctl("exit", "--cleanup")
                self.daemon.popen.wait(10)
            except (Failed, subprocess.TimeoutExpired):
                pass
        for process in (self.daemon, self.database):
            if process:
                process.stop()
        self.daemon = self.database = self.share = None
        shutil.rmtree(self.directory, ignore_errors=True)
