"""Rules of Neutron's agent that its functional tests do not try: ARP answered on behalf of machines of other hosts, by the agent's own code."""

from neutron.agent.linux import ip_lib
from neutron.common import utils as common_utils
from neutron.tests.common import net_helpers
from neutron.tests.functional.agent import test_ovs_flows
from oslo_config import cfg

VLAN = 77
REMOTE = "192.168.0.77"
REMOTE_MAC = "fa:16:3e:00:00:77"


class ArpResponderTestCase(test_ovs_flows.OVSAgentTestBase):
    """A machine on br-int, which is patched to br-tun as the agent does it."""

    def setUp(self):
        super().setUp()
        self.br_tun = self.br_tun_cls(self.useFixture(net_helpers.OVSBridgeFixture()).bridge.br_name)
        self.br_tun.set_secure_mode()
        self.br_tun.setup_controllers(cfg.CONF)
        names = [common_utils.get_rand_device_name(prefix=prefix) for prefix in ("patch-tun", "patch-int")]
        self.br_int.add_patch_port(*names)
        patch = self.br_tun.add_patch_port(*reversed(names))
        self.br_tun.setup_default_table(patch, True)
        self.namespace = self.useFixture(net_helpers.NamespaceFixture()).name
        self.port = self.useFixture(net_helpers.OVSPortFixture(self.br_int, self.namespace)).port
        self.port.addr.add("192.168.0.1/24")
        self.br_int.set_db_attribute("Port", self.port.name, "tag", VLAN)

    def neighbour(self):
        net_helpers.assert_no_ping(self.namespace, REMOTE, timeout=1)
        return [n["lladdr"] for n in ip_lib.dump_neigh_entries(4, self.port.name, self.namespace, dst=REMOTE) if n["lladdr"]]

    def test_arp_responder(self):
        self.assertEqual([], self.neighbour())
        self.br_tun.install_arp_responder(VLAN, REMOTE, REMOTE_MAC)
        common_utils.wait_until_true(lambda: self.neighbour() == [REMOTE_MAC], timeout=20)
        self.br_tun.delete_arp_responder(VLAN, REMOTE)
        self.port.neigh.delete(REMOTE, REMOTE_MAC)
        self.assertEqual([], self.neighbour())
