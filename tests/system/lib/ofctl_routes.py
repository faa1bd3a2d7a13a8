"""The functions behind a REST interface to a switch, os_ken.lib.ofctl_v1_*, called with JSON lines over TCP.

    ROUTES_VERSION=13 ROUTES_PORT=8080 osken-manager FILE

A request is one line, ["get_flow_stats", {...}] or ["mod_flow_entry", {...}, "ADD"]: the name of a function and what follows the switch and the
waiters. The answer is one line: the function's result, or {"error": ...} where it raised or the switch answered with an error.
"""
import importlib
import json
import os

from os_ken.base.app_manager import OSKenApp
from os_ken.controller import ofp_event
from os_ken.controller.handler import CONFIG_DISPATCHER, HANDSHAKE_DISPATCHER, MAIN_DISPATCHER, set_ev_cls
from os_ken.lib import hub

VERSION = os.environ["ROUTES_VERSION"]
PROTOCOL = importlib.import_module("os_ken.ofproto.ofproto_v1_" + VERSION[1])
LIBRARY = importlib.import_module("os_ken.lib.ofctl_v1_" + VERSION[1])
REPLIES = [getattr(ofp_event, name) for name in dir(ofp_event)
           if name.startswith("EventOFP") and (name.endswith("StatsReply") or name in
           ("EventOFPRoleReply", "EventOFPQueueGetConfigReply", "EventOFPTableFeaturesReply", "EventOFPSwitchFeatures"))]


class Routes(OSKenApp):
    OFP_VERSIONS = [PROTOCOL.OFP_VERSION]

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.switch, self.waiters, self.errors = None, {}, []
        server = hub.StreamServer(("127.0.0.1", int(os.environ["ROUTES_PORT"])), self.serve)
        hub.spawn(server.serve_forever)

    @set_ev_cls(ofp_event.EventOFPStateChange, MAIN_DISPATCHER)
    def on_state(self, event):
        self.switch = event.datapath
        print("connected", flush=True)

    @set_ev_cls(REPLIES, MAIN_DISPATCHER)
    def on_reply(self, event):
        message = event.msg
        waiter = self.waiters.get(message.datapath.id, {}).get(message.xid)
        if waiter:
            lock, messages = waiter
            messages.append(message)
            if not getattr(message, "flags", 0) & 1:
                del self.waiters[message.datapath.id][message.xid]
                lock.set()

    @set_ev_cls(ofp_event.EventOFPErrorMsg, [HANDSHAKE_DISPATCHER, CONFIG_DISPATCHER, MAIN_DISPATCHER])
    def on_error(self, event):
        self.errors.append({"type": event.msg.type, "code": event.msg.code})

    @set_ev_cls(ofp_event.EventOFPBarrierReply, MAIN_DISPATCHER)
    def on_barrier(self, event):
        self.barrier.set()

    def call(self, name, *arguments):
        self.errors.clear()
        function = getattr(LIBRARY, name)
        if name.startswith("get_"):
            result = function(self.switch, self.waiters, *arguments)
        else:
            parser, protocol = self.switch.ofproto_parser, self.switch.ofproto
            commands = {"mod_flow_entry": "OFPFC_", "mod_group_entry": "OFPGC_", "mod_meter_entry": "OFPMC_"}
            if name in commands:
                arguments = arguments[:-1] + (getattr(protocol, commands[name] + arguments[-1]),)
            result = function(self.switch, *arguments)
            self.barrier = hub.Event()
            self.switch.send_msg(parser.OFPBarrierRequest(self.switch))
            self.barrier.wait(timeout=10)
        return {"error": self.errors[0]} if self.errors else result

    def serve(self, connection, address):
        lines = connection.makefile("rw")
        for line in lines:
            try:
                result = self.call(*json.loads(line))
            except Exception as error:  # the client is to see it
                result = {"error": repr(error)}
            lines.write(json.dumps(result) + "\n")
            lines.flush()
