#!/bin/bash
# Three hosts, rules by ovs-ofctl: who may talk to whom, rewritten headers at the far end, counters.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)"
start_sluice

udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2",ttl=9)/UDP(sport=1000,dport=2000)/Raw(b"0123456789abcdef0123")'

step "a secure bridge without rules forwards nothing"
packets h1 "$udp" 3 h2=none h3=none

step "one rule, one direction"
ofctl add-flow in_port=1,actions=output:2
packets h1 "$udp" 50 h2=same h3=none
packets h2 "$udp" 3 h1=none h3=none
wait_until 3 rule_packets_are 50 in_port=1

step "ping both ways, and not to the third"
ofctl add-flow in_port=2,actions=output:1
ping_ok h1 10.0.0.2 10
ping_none h1 10.0.0.3

step "a higher priority denies; deleting it allows again"
ofctl add-flow priority=40000,icmp,actions=drop
ping_none h1 10.0.0.2
packets h1 "$udp" 3 h2=same
ofctl --strict del-flows priority=40000,icmp
ping_ok h1 10.0.0.2

step "flood goes to every port but the one it came from"
ofctl del-flows
ofctl add-flow actions=flood
packets h1 "$udp" 5 h1=none h2=same h3=same

step "output to several ports, and back to in_port"
ofctl del-flows
ofctl add-flow in_port=1,actions=output:2,output:3,in_port
packets h1 "$udp" 5 h1=same h2=same h3=same

step "set-field on addresses and ports keeps checksums right"
rewritten='checksums_ok(p) and p.src=="02:00:00:00:00:aa" and p[IP].src=="192.168.7.7" and p[IP].tos==184 and p[UDP].dport==7777'
ofctl del-flows
OF=OpenFlow13 ofctl add-flow 'in_port=1,udp,actions=set_field:02:00:00:00:00:aa->eth_src,set_field:192.168.7.7->ip_src,set_field:46->ip_dscp,set_field:7777->udp_dst,output:2'
packets h1 "$udp" 5 "h2=$rewritten" h3=none

step "TTL is decremented, and an expired packet is not forwarded"
ofctl del-flows
ofctl add-flow in_port=1,ip,actions=dec_ttl,output:2
packets h1 "$udp" 2 'h2=checksums_ok(p) and p[IP].ttl==8'
packets h1 "${udp/ttl=9/ttl=1}" 2 h2=none

step "VLAN tags are pushed, set and popped"
ofctl del-flows
OF=OpenFlow13 ofctl add-flow 'in_port=1,vlan_tci=0,actions=push_vlan:0x8100,set_field:0x1064->vlan_vid,output:2'
OF=OpenFlow13 ofctl add-flow 'in_port=1,dl_vlan=200,actions=pop_vlan,output:2'
OF=OpenFlow13 ofctl add-flow 'in_port=1,dl_vlan=300,actions=set_field:0x112d->vlan_vid,output:3'
packets h1 "$udp" 2 'h2=p[Dot1Q].vlan==100 and p[UDP].dport==2000'
tagged=${udp/\/IP(/\/Dot1Q(vlan=200)\/IP(}
packets h1 "$tagged" 2 'h2=Dot1Q not in p and p[UDP].dport==2000'
packets h1 "${tagged/200/300}" 2 'h3=p[Dot1Q].vlan==301' h2=none

step "two tables: resubmit and goto_table"
ofctl del-flows
OF=OpenFlow13 ofctl add-flow 'table=0,in_port=1,actions=set_field:0x42->metadata,goto_table:7'
OF=OpenFlow13 ofctl add-flow 'table=7,metadata=0x42,udp,udp_dst=2000,actions=output:3'
packets h1 "$udp" 3 h3=same h2=none
packets h1 "${udp/2000/2001}" 3 h3=none h2=none

stop_sluice
