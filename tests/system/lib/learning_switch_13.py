"""An OpenFlow 1.3 learning switch on os-ken, for `osken-manager FILE`. Debian's python3-os-ken comes without sample applications."""
from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3


class LearningSwitch(OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stations = {}  # (dpid, MAC) -> port

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_features(self, event):
        switch = event.msg.datapath
        self.stations = {where: port for where, port in self.stations.items() if where[0] != switch.id}
        to_us = switch.ofproto_parser.OFPActionOutput(switch.ofproto.OFPP_CONTROLLER, switch.ofproto.OFPCML_NO_BUFFER)
        self.add_rule(switch, 0, switch.ofproto_parser.OFPMatch(), to_us)

    @set_ev_cls(ofp_event.EventOFPPacketIn, MAIN_DISPATCHER)
    def on_packet_in(self, event):
        message = event.msg
        switch, parser, in_port = message.datapath, message.datapath.ofproto_parser, message.match["in_port"]
        header = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        self.stations[switch.id, header.src] = in_port
        port = self.stations.get((switch.id, header.dst))
        output = parser.OFPActionOutput(switch.ofproto.OFPP_FLOOD if port is None else port)
        if port is not None:
            match = parser.OFPMatch(in_port=in_port, eth_src=header.src, eth_dst=header.dst)
            self.add_rule(switch, 1, match, output)
        switch.send_msg(parser.OFPPacketOut(datapath=switch, buffer_id=switch.ofproto.OFP_NO_BUFFER, in_port=in_port,
                                            actions=[output], data=message.data))

    def add_rule(self, switch, priority, match, output):
        parser = switch.ofproto_parser
        apply = parser.OFPInstructionActions(switch.ofproto.OFPIT_APPLY_ACTIONS, [output])
        switch.send_msg(parser.OFPFlowMod(datapath=switch, priority=priority, match=match, instructions=[apply]))
