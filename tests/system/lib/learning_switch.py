"""A learning switch on os-ken for any version of OpenFlow: LEARNING_VERSION=10, 13, 14 or 15, `osken-manager FILE`.

Debian's python3-os-ken comes without sample applications.
"""
import importlib
import os

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet

VERSION = os.environ["LEARNING_VERSION"]
PROTOCOL = importlib.import_module("os_ken.ofproto.ofproto_v1_" + VERSION[1])


class LearningSwitch(OSKenApp):
    OFP_VERSIONS = [PROTOCOL.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stations = {}  # (dpid, MAC) -> port

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_features(self, event):
        switch = event.msg.datapath
        self.stations = {where: port for where, port in self.stations.items() if where[0] != switch.id}
        if VERSION != "10":  # where a miss goes to the controller by itself
            parser, protocol = switch.ofproto_parser, switch.ofproto
            self.add_rule(switch, 0, parser.OFPMatch(), parser.OFPActionOutput(protocol.OFPP_CONTROLLER, protocol.OFPCML_NO_BUFFER))

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def on_packet_in(self, event):
        message, switch = event.msg, event.msg.datapath
        parser, protocol = switch.ofproto_parser, switch.ofproto
        in_port = message.in_port if VERSION == "10" else message.match["in_port"]
        header = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        self.stations[switch.id, header.src] = in_port
        port = self.stations.get((switch.id, header.dst))
        output = parser.OFPActionOutput(protocol.OFPP_FLOOD if port is None else port)
        if port is not None:
            names = ("dl_src", "dl_dst") if VERSION == "10" else ("eth_src", "eth_dst")
            match = parser.OFPMatch(in_port=in_port, **dict(zip(names, (header.src, header.dst))))
            self.add_rule(switch, 1, match, output)
        if VERSION == "15":
            out = parser.OFPPacketOut(datapath=switch, buffer_id=protocol.OFP_NO_BUFFER, match=parser.OFPMatch(in_port=in_port),
                                      actions=[output], data=message.data)
        else:
            out = parser.OFPPacketOut(datapath=switch, buffer_id=0xffffffff, in_port=in_port, actions=[output], data=message.data)
        switch.send_msg(out)

    def add_rule(self, switch, priority, match, output):
        parser = switch.ofproto_parser
        if VERSION == "10":
            mod = parser.OFPFlowMod(datapath=switch, match=match, cookie=0, command=switch.ofproto.OFPFC_ADD, priority=priority, actions=[output])
        else:
            apply = parser.OFPInstructionActions(switch.ofproto.OFPIT_APPLY_ACTIONS, [output])
            mod = parser.OFPFlowMod(datapath=switch, priority=priority, match=match, instructions=[apply])
        switch.send_msg(mod)
