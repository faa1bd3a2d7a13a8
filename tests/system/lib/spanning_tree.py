"""A learning switch that runs the spanning tree protocol of os-ken's stplib, OpenFlow 1.3. States of ports go to the log."""
from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import dpid, stplib
from os_ken.lib.packet import ethernet, packet
from os_ken.ofproto import ofproto_v1_3


class SpanningTree(OSKenApp):
    OFP_VERSIONS = [ofproto_v1_3.OFP_VERSION]
    _CONTEXTS = {"stplib": stplib.Stp}

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.stations = {}  # (dpid, MAC) -> port
        fast = {"bridge": {"fwd_delay": 4, "hello_time": 1, "max_age": 6}}
        kwargs["stplib"].set_config({dpid.str_to_dpid("%016x" % i): fast for i in (1, 2, 3)})

    @set_ev_cls(ofp_event.EventOFPSwitchFeatures, CONFIG_DISPATCHER)
    def on_features(self, event):
        switch = event.msg.datapath
        parser, protocol = switch.ofproto_parser, switch.ofproto
        to_us = parser.OFPActionOutput(protocol.OFPP_CONTROLLER, protocol.OFPCML_NO_BUFFER)
        apply = parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, [to_us])
        switch.send_msg(parser.OFPFlowMod(datapath=switch, priority=0, match=parser.OFPMatch(), instructions=[apply]))

    @set_ev_cls(stplib.EventPacketIn, MAIN_DISPATCHER)
    def on_packet_in(self, event):
        message, switch, in_port = event.msg, event.msg.datapath, event.msg.match["in_port"]
        parser, protocol = switch.ofproto_parser, switch.ofproto
        header = packet.Packet(message.data).get_protocol(ethernet.ethernet)
        self.stations[switch.id, header.src] = in_port
        port = self.stations.get((switch.id, header.dst), protocol.OFPP_FLOOD)
        output = parser.OFPActionOutput(port)
        if port != protocol.OFPP_FLOOD:
            apply = parser.OFPInstructionActions(protocol.OFPIT_APPLY_ACTIONS, [output])
            switch.send_msg(parser.OFPFlowMod(datapath=switch, priority=1, instructions=[apply],
                                              match=parser.OFPMatch(in_port=in_port, eth_dst=header.dst)))
        switch.send_msg(parser.OFPPacketOut(datapath=switch, buffer_id=protocol.OFP_NO_BUFFER, in_port=in_port,
                                            actions=[output], data=message.data))

    @set_ev_cls(stplib.EventTopologyChange, MAIN_DISPATCHER)
    def on_topology_change(self, event):
        switch = event.dp
        parser, protocol = switch.ofproto_parser, switch.ofproto
        for station in [station for station in self.stations if station[0] == switch.id]:
            switch.send_msg(parser.OFPFlowMod(datapath=switch, command=protocol.OFPFC_DELETE, out_port=protocol.OFPP_ANY,
                                              out_group=protocol.OFPG_ANY, priority=1, match=parser.OFPMatch(eth_dst=station[1])))
            del self.stations[station]

    @set_ev_cls(stplib.EventPortStateChange, MAIN_DISPATCHER)
    def on_port_state(self, event):
        names = {stplib.PORT_STATE_DISABLE: "disabled", stplib.PORT_STATE_BLOCK: "blocked", stplib.PORT_STATE_LISTEN: "listening",
                 stplib.PORT_STATE_LEARN: "learning", stplib.PORT_STATE_FORWARD: "forwarding"}
        print("switch %d port %d is %s" % (event.dp.id, event.port_no, names[event.port_state]), flush=True)
