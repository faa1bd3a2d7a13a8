"""What steers a packet through the tables: resubmit, registers, action sets, stacks, groups and meters that a single packet shows."""
from cases import DST, SRC, case
from packets import *

UDP4 = E() / I() / U() / P


def to(host, packet=UDP4):
    return {host: packet}


def table_cases():
    yield case("resubmit to a table with another port", ["actions=resubmit(3,{t}),output:2", "table={t},in_port=3,actions=output:3",
               "table={t},in_port=1,actions=in_port"], UDP4, {2: UDP4, 3: UDP4})
    yield case("resubmit with a port finds rules of that port in the same table", ["in_port=1,actions=resubmit:3", "in_port=3,actions=output:2"],
               UDP4, to(2))
    yield case("what a resubmit changed stays changed", ["udp,actions=resubmit(,{t}),output:2",
               "table={t},udp,actions=dec_ttl,load:7->NXM_OF_UDP_DST[]"], UDP4, to(2, E() / I(ttl=8) / U(dport=7) / P))
    yield case("a resubmit that finds nothing goes on behind it", "actions=resubmit(,{t}),output:2", UDP4, to(2))
    yield case("exit ends it all", ["actions=resubmit(,{t}),output:3", "table={t},actions=output:2,exit,output:3"], UDP4, to(2))
    yield case("load of in_port lets a packet go back", "actions=load:0->OXM_OF_IN_PORT[],output:1", UDP4, to(1))
    yield case("output to the port it came from does nothing", "actions=output:1,output:2", UDP4, to(2))
    yield case("goto_table and write_actions: the last of a kind, in the order of the specification",
               ["udp,actions=write_actions(output:3,set_field:7->udp_dst),goto_table:{t}",
               "table={t},udp,actions=write_actions(output:2,push_vlan:0x8100,set_field:9->udp_dst,dec_ttl)"],
               UDP4, to(2, E() / V(vlan=0, prio=0) / I(ttl=8) / U(dport=9) / P), since="OpenFlow13")
    yield case("clear_actions", ["udp,actions=write_actions(output:3),goto_table:{t}", "table={t},actions=output:2,clear_actions"], UDP4, to(2),
               since="OpenFlow13")
    yield case("actset_output", ["udp,actions=write_actions(output:3),goto_table:{t}", "table={t},actset_output=3,actions=output:2"], UDP4,
               {2: UDP4, 3: UDP4}, since="OpenFlow15")
    yield case("write_metadata, masked", ["actions=write_metadata:0x1234/0xff00,goto_table:{t}", "table={t},metadata=0x1200,actions=output:2"],
               UDP4, to(2), since="OpenFlow13")


def register_cases():
    yield case("load and move between registers, then output to one",
               ["actions=load:0x3->NXM_NX_REG0[4..7],move:NXM_NX_REG0[4..7]->NXM_NX_XXREG1[100..103],"
               "move:NXM_NX_XXREG1[100..115]->NXM_NX_REG7[0..15],output:NXM_NX_REG7[0..15]"], UDP4, to(3))
    yield case("xreg and xxreg are the registers", ["actions=load:0x1122334455667788->OXM_OF_PKT_REG1[],set_field:0x99->reg0,resubmit(,{t})",
               "table={t},reg2=0x11223344,reg3=0x55667788,xxreg0=0x99000000001122334455667788,actions=output:2"], UDP4, to(2))
    yield case("masks on registers", ["actions=load:0xabcd->NXM_NX_REG9[],resubmit(,{t})", "table={t},reg9=0xab00/0xff00,actions=output:2"], UDP4,
               to(2))
    yield case("pkt_mark and tunnel id", ["actions=load:0x77->NXM_NX_PKT_MARK[],load:0x55->NXM_NX_TUN_ID[],resubmit(,{t})",
               "table={t},pkt_mark=0x77,tun_id=0x55,actions=output:2"], UDP4, to(2))
    yield case("metadata from an address", ["actions=move:NXM_OF_ETH_DST[]->OXM_OF_METADATA[0..47],resubmit(,{t})",
               "table={t},metadata=0x0200000000dd,actions=output:2"], UDP4, to(2))
    yield case("a register is 0 for every packet", ["actions=resubmit(,{t})",
               "table={t},reg9=0,metadata=0,pkt_mark=0,ct_state=-trk,actions=output:2"], UDP4, to(2))
    yield case("the stack goes over tables", ["actions=push:NXM_OF_ETH_DST[],resubmit(,{t}),output:2",
               "table={t},actions=load:9->NXM_OF_ETH_DST[],output:3,pop:NXM_OF_ETH_DST[]"],
               UDP4, {2: UDP4, 3: Ether(src=SRC, dst="00:00:00:00:00:09") / I() / U() / P})
    yield case("delete_field of a tunnel option", ["actions=set_field:0x1234->tun_metadata0,resubmit(,{t})",
               "table={t},tun_metadata0=0x1234,actions=delete_field:tun_metadata0,resubmit(,{u})",
               "table={u},tun_metadata0=0,actions=output:2"], UDP4, to(2))
    yield case("bundle_load gives the port of a member", "actions=bundle_load(eth_src,0,hrw,ofport,NXM_NX_REG0[],members:3),output:NXM_NX_REG0[]",
               UDP4, to(3))
    yield case("bundle_load to a part of a register, without a live member",
               ["actions=bundle_load(eth_src,0,active_backup,ofport,NXM_NX_REG0[8..23],members:77),resubmit(,{t})",
               "table={t},reg0=0xffff00,actions=output:2"], UDP4, to(2))
    yield case("multipath to a part of a register", ["actions=multipath(eth_src,50,modulo_n,1,0,NXM_NX_REG0[4..7]),resubmit(,{t})",
               "table={t},reg0=0,actions=output:2"], UDP4, to(2))


def copy_cases():
    yield case("clone restores packet and registers",
               ["udp,actions=clone(load:7->NXM_OF_UDP_DST[],load:1->NXM_NX_REG0[],output:2,resubmit(,{t})),resubmit(,{t})",
               "table={t},reg0=0,actions=output:3", "table={t},reg0=1,actions=output:2"], UDP4, {2: [E() / I() / U(dport=7) / P] * 2, 3: UDP4})
    yield case("clone of a tag", "udp,actions=clone(mod_vlan_vid:7,output:2),output:3", UDP4, {2: E() / V(vlan=7, prio=0) / I() / U() / P, 3: UDP4})
    yield case("each output has the packet as it is then", "udp,actions=output:2,dec_ttl,output:3,load:7->NXM_OF_UDP_DST[],in_port", UDP4,
               {2: UDP4, 3: E() / I(ttl=8) / U() / P, 1: E() / I(ttl=8) / U(dport=7) / P})
    yield case("truncated, changed, whole", "udp,actions=dec_ttl,output(port=2,max_len=60),output:3", UDP4,
               {2: Raw(bytes(E() / I(ttl=8) / U() / P)[:60]), 3: E() / I(ttl=8) / U() / P})
    yield case("note, set_queue, ct_clear change nothing", "actions=note:01.02,set_queue:7,ct_clear,pop_queue,output:2", UDP4, to(2))


def group_cases():
    for type_ in ("7", "8", "9"):
        yield case("group " + type_, "actions=group:" + type_, UDP4, {"7": {2: E(dst="02:00:00:00:00:22") / I() / U() / P, 3: UDP4}, "8": to(3),
                   "9": to(2)}[type_], since="OpenFlow13")
    yield case("a group in an action set takes the place of an output", "actions=write_actions(group:8,output:2)", UDP4, to(3), since="OpenFlow13")
    yield case("behind a group the packet is as it came", "actions=group:7,in_port", UDP4, {1: UDP4, 2: E(dst="02:00:00:00:00:22") / I() / U() / P,
               3: UDP4}, since="OpenFlow13")
    yield case("a meter lets a packet through", "actions=meter:1,output:2", UDP4, to(2), since="OpenFlow13")


CASES = [one for some in (table_cases, register_cases, copy_cases, group_cases) for one in some()]
