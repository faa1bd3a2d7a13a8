"""Plugs and unplugs a VIF as nova-compute does: osvif.py plug|unplug KIND NUMBER native|vsctl [KEY=VALUE]...

KIND is port (VIFOpenVSwitch that makes its port), bridge (VIFBridge: the hybrid way, with a Linux bridge in between), vhost-client or vhost-server
(VIFVHostUser; the mode is QEMU's), or patch (VIFOpenVSwitch in a bridge of its own). KEY=VALUE: of the section os_vif_ovs. What is made of
NUMBER: the last digits of the VIF's id, and interfaces named for that.
"""
import sys

import os_vif
from os_vif import objects
from oslo_config import cfg
from vif_plug_ovs import privsep

NAME = "b679325f-c%02d"  # the first 11 of the id, as interfaces are named for it


def make_vif(kind, number):
    ident = "b679325f-c%02d-4ee0-a8be-6db1409b69ea" % number
    network = objects.network.Network(id="437c6db5-4e6f-4b43-b64b-ed6a11ee5ba7", bridge="br-int", mtu=1400, subnets=objects.subnet.SubnetList(objects=[]))
    profile = objects.vif.VIFPortProfileOpenVSwitch(interface_id=ident, datapath_type="netdev", create_port=kind == "port")
    common = {"id": ident, "address": "02:00:00:00:00:%02x" % number, "network": network, "port_profile": profile}
    name = NAME % number
    if kind in ("port", "patch"):
        return objects.vif.VIFOpenVSwitch(vif_name="tap" + name, plugin="ovs", **common)
    if kind == "bridge":
        return objects.vif.VIFBridge(vif_name="tap" + name, bridge_name="qbr" + name, plugin="ovs", **common)
    # os-vif's names of the switch's sockets begin with vhu.
    return objects.vif.VIFVHostUser(path=sys.argv[5] if kind == "vhost-server" else "", mode=kind[6:], plugin="ovs", **common)


def main():
    what, kind, number, how = sys.argv[1:5]
    os_vif.initialize()
    privsep.vif_plug.set_client_mode(False)  # this process has the rights
    cfg.CONF([], project="os-vif", default_config_files=[])
    cfg.CONF.set_override("ovsdb_interface", how, "os_vif_ovs")
    for word in sys.argv[5:]:
        key, _, value = word.partition("=")
        if value:
            cfg.CONF.set_override(key, value, "os_vif_ovs")
    instance = objects.instance_info.InstanceInfo(name="demo", uuid="f0000000-0000-0000-0000-000000000001")
    {"plug": os_vif.plug, "unplug": os_vif.unplug}[what](make_vif(kind, int(number)), instance)


if __name__ == "__main__":
    main()
