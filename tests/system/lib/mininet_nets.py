"""A network of mininet's on Open vSwitch, whichever that is: mininet_nets.py TOPOLOGY SWITCH CONTROLLER [LINK]

TOPOLOGY is linear,N or tree,DEPTH,FANOUT. SWITCH is standalone or secure, with :user for datapath_type netdev or :batch for one ovs-vsctl for all
bridges. CONTROLLER is none, ovs (ovs-testcontroller, which mininet starts) or remote (somebody listens at 6653). LINK: patch for patch ports between switches.
Exits with 1 unless every ping of every host to every other is answered, and TCP passes.
"""
import sys
import time
from functools import partial

from mininet.link import Link
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import OVSController, OVSSwitch, RemoteController
from mininet.topo import LinearTopo
from mininet.topolib import TreeTopo


def link_kind(name):
    if name != "patch":
        return Link
    from mininet.link import OVSLink
    return OVSLink


def main():
    words = sys.argv[1].split(",")
    topo = {"linear": LinearTopo, "tree": TreeTopo}[words[0]](*map(int, words[1:]))
    mode, _, option = sys.argv[2].partition(":")
    switch = partial(OVSSwitch, failMode=mode, datapath="user" if option == "user" else "kernel", batch=option == "batch",
                     protocols="OpenFlow10,OpenFlow13")
    controller = {"none": None, "ovs": OVSController, "remote": partial(RemoteController, ip="127.0.0.1", port=6653)}[sys.argv[3]]
    setLogLevel("warning")
    net = Mininet(topo=topo, switch=switch, controller=controller, link=link_kind(sys.argv[4:] and sys.argv[4]), autoSetMacs=True,
                  waitConnected=False)
    start = time.monotonic()
    net.start()
    try:
        if controller and not net.waitConnected(timeout=20):
            sys.exit("no switch is connected")
        ready = time.monotonic()
        lost = net.pingAll(timeout=5)
        print("  %d switches, %d hosts: started in %.1f s, %d %% lost" % (len(net.switches), len(net.hosts), ready - start, lost))
        for switch in net.switches:
            ports = switch.cmd("ovs-vsctl list-ports", switch).split()
            if len(ports) != len(switch.ports) - 1:  # lo, which is port 0
                sys.exit("%s has ports %s" % (switch, ports))
        first, last = net.hosts[0], net.hosts[-1]
        served = last.popen(["iperf3", "-s", "-1"])
        time.sleep(0.5)
        sent = first.cmd("iperf3 -c %s -t 1 -f m" % last.IP())
        served.terminate()
        rates = [line for line in sent.splitlines() if "receiver" in line]
        print("  TCP: " + (rates[0].split("sec")[1].strip() if rates else sent))
        sys.exit(1 if lost or not rates else 0)
    finally:
        net.stop()


if __name__ == "__main__":
    main()
