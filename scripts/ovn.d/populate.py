#!/usr/bin/python3
"""Fills OVN's databases for scripts/ovn-scale: populate.py nb|sb SOCKET SWITCHES PORTS GROUPS BALANCERS CHASSIS

nb: SWITCHES logical switches with PORTS ports each, all on one router; GROUPS port groups, each of the ports of two switches, with four
ACLs; BALANCERS load balancers with ten members each on one switch and the router.
sb: CHASSIS that are only rows, with all ports bound to them but the first and second of each of the first ten switches.
"""
import json
import socket
import sys

KIND, PATH = sys.argv[1:3]
SWITCHES, PORTS, GROUPS, BALANCERS, CHASSIS = map(int, sys.argv[3:8])
UNDER_TEST = 10  # switches whose first two ports are on the hosts under test


def mac(switch, port):
    return f"02:00:00:{switch:02x}:00:{port + 1:02x}"


def address(switch, port):
    return f"10.{switch // 250}.{switch % 250}.{port + 1}"


def insert(table, uuid, **columns):
    return {"op": "insert", "table": table, "row": columns, "uuid-name": uuid}


def named(names):
    return ["set", [["named-uuid", name] for name in names]]


def map_of(pairs):
    return ["map", [list(pair) for pair in pairs.items()]]


def northbound():
    operations = []
    on_router, of_switch = [], {i: [] for i in range(SWITCHES)}
    for b in range(BALANCERS):
        s = b % SWITCHES
        members = ",".join(f"{address(s, i)}:8080" for i in range(min(10, PORTS)))
        operations.append(insert("Load_Balancer", f"lb{b}", name=f"lb{b}", protocol="tcp", vips=map_of({f"10.255.{b // 250}.{b % 250 + 1}:80": members})))
        on_router.append(f"lb{b}")
        of_switch[s].append(f"lb{b}")
    for s in range(SWITCHES):
        for p in range(PORTS):
            where = f"{mac(s, p)} {address(s, p)}"
            operations.append(insert("Logical_Switch_Port", f"p{s}_{p}", name=f"p{s}-{p}", addresses=where, port_security=where))
        operations.append(insert("Logical_Switch_Port", f"r{s}", name=f"r{s}", type="router", addresses="router", options=map_of({"router-port": f"lrp{s}"})))
        operations.append(insert("Logical_Switch", f"ls{s}", name=f"ls{s}", ports=named([f"p{s}_{p}" for p in range(PORTS)] + [f"r{s}"]),
                                 load_balancer=named(of_switch[s])))
        operations.append(insert("Logical_Router_Port", f"lrp{s}", name=f"lrp{s}", mac=mac(s, 254), networks=f"{address(s, 253)}/24"))
    operations.append(insert("Logical_Router", "lr", name="lr", ports=named(f"lrp{s}" for s in range(SWITCHES)), load_balancer=named(on_router)))
    for g in range(GROUPS):
        switches = [2 * g % SWITCHES, (2 * g + 1) % SWITCHES]
        rules = [("allow-related", 1003, f"outport == @pg{g} && ip4 && icmp4"), ("allow-related", 1002, f"outport == @pg{g} && ip4.src == $pg{g}_ip4 && tcp.dst == {{80, 443, 8080}}"),
                 ("allow-related", 1001, f"outport == @pg{g} && ip4.src == $pg{(g + 1) % GROUPS}_ip4 && tcp.dst == 22"), ("drop", 1000, f"outport == @pg{g} && ip")]
        for i, (action, priority, match) in enumerate(rules):
            operations.append(insert("ACL", f"acl{g}_{i}", direction="to-lport", action=action, priority=priority, match=match))
        operations.append(insert("Port_Group", f"pg{g}", name=f"pg{g}", acls=named(f"acl{g}_{i}" for i in range(4)),
                                 ports=named(f"p{s}_{p}" for s in dict.fromkeys(switches) for p in range(PORTS))))
    return operations


def southbound():
    operations = []
    for c in range(CHASSIS):
        operations.append(insert("Encap", f"e{c}", type="geneve", ip=f"192.168.{60 + c // 250}.{c % 250 + 1}", chassis_name=f"sim{c}"))
        operations.append(insert("Chassis", f"c{c}", name=f"sim{c}", hostname=f"sim{c}", encaps=named([f"e{c}"])))
    for s in range(SWITCHES):
        for p in range(PORTS):
            if p > 1 or s >= UNDER_TEST:
                operations.append({"op": "update", "table": "Port_Binding", "where": [["logical_port", "==", f"p{s}-{p}"]],
                                   "row": {"chassis": ["named-uuid", f"c{(s * PORTS + p) % CHASSIS}"], "up": True}})
    return operations


def main():
    database, operations = ("OVN_Northbound", northbound()) if KIND == "nb" else ("OVN_Southbound", southbound())
    server = socket.socket(socket.AF_UNIX)
    server.connect(PATH)
    server.sendall(json.dumps({"method": "transact", "params": [database, *operations], "id": 0}).encode())
    answer = b""
    while True:
        part = server.recv(1 << 20)
        if not part:
            sys.exit("the database's server has gone")
        answer += part
        try:
            result = json.loads(answer)
        except ValueError:
            continue
        if result.get("id") == 0:
            break
        answer = b""
    wrong = [r for r in result["result"] if r and "error" in r]
    if result["error"] or wrong:
        sys.exit(f"refused: {result['error'] or wrong[:3]}")
    print(f"{len(operations)} operations")


main()
