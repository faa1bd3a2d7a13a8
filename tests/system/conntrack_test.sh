#!/bin/bash
# A stateful firewall by ovs-ofctl: connections from inside pass, both ways, and nothing else; TCP, UDP, ICMP, IPv4 and IPv6.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
for n in 1 2; do
    in_ns h$n sh -c 'for i in default lo eth0; do echo 0 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done'
    in_ns h$n ip -6 addr add fd00::$n/64 dev eth0 nodad
done

# Sends a line to ADDRESS PORT and prints the answer; fails without one.
ask() { in_ns "$1" "$PYTHON" "$TEST_LIB/ask.py" "$2" "$3" "$4"; }
answer() { local PID; background "answer-$1-$2-$3" ip netns exec "$(ns_name "$1")" "$PYTHON" "$TEST_LIB/ask.py" "$2" "$3" "$4" answer; }
refused() { ! ask "$@" >/dev/null 2>&1 || fail "$* got an answer"; }
pings() { in_ns "$1" ping -c 3 -i 0.2 -W 2 -q "$2" >/dev/null || fail "$1 cannot ping $2"; }
no_pings() { ! in_ns "$1" ping -c 2 -i 0.2 -W 1 -q "$2" >/dev/null || fail "$1 can ping $2"; }

step "rules: new connections from port 1 only"
cat >"$TEST_DIR/flows" <<'FLOWS'
priority=20,arp,actions=NORMAL
priority=20,icmp6,icmp_type=135,actions=NORMAL
priority=20,icmp6,icmp_type=136,actions=NORMAL
priority=10,ip,ct_state=-trk,actions=ct(table=1,zone=5)
priority=10,ipv6,ct_state=-trk,actions=ct(table=1,zone=5)
table=1,priority=10,in_port=1,ip,ct_state=+trk+new,actions=ct(commit,zone=5,exec(set_field:0x17->ct_mark)),output:2
table=1,priority=10,in_port=1,ipv6,ct_state=+trk+new,actions=ct(commit,zone=5,exec(load:0x17->NXM_NX_CT_MARK[],set_field:0x1->ct_label)),output:2
table=1,priority=10,in_port=1,ct_state=+trk+est,actions=output:2
table=1,priority=10,in_port=2,ct_state=+trk+est,ct_zone=5,ct_mark=0x17,actions=output:1
table=1,priority=10,in_port=2,ct_state=+trk+rel,actions=output:1
table=1,priority=5,ct_state=+trk+inv,actions=drop
table=1,priority=1,actions=drop
FLOWS
ofctl add-flows "$TEST_DIR/flows"
assert_contains "$(ofctl dump-flows --no-stats | sort)" \
    ' priority=10,ct_state=-trk,ip actions=ct(table=1,zone=5)' \
    ' table=1, priority=10,ct_state=+new+trk,ip,in_port=1 actions=ct(commit,zone=5,exec(load:0x17->NXM_NX_CT_MARK[])),output:2' \
    ' table=1, priority=10,ct_state=+est+trk,ct_zone=5,ct_mark=0x17,in_port=2 actions=output:1'

listens() { in_ns "$1" ss -Hln"${2:0:1}" | grep -qF -e " $3:$4 " -e "[$3]:$4 "; } # HOST PROTO ADDRESS PORT
for proto in tcp udp; do
    for net in 10.0.0. fd00::; do
        step "$proto over ${net}0"
        answer h1 "$proto" "${net}1" 7
        answer h2 "$proto" "${net}2" 7
        wait_until 20 listens h1 "$proto" "${net}1" 7
        wait_until 20 listens h2 "$proto" "${net}2" 7
        assert_eq "$(ask h1 "$proto" "${net}2" 7)" "you said hello"
        refused h2 "$proto" "${net}1" 7
    done
done

step "ICMP and ICMPv6"
pings h1 10.0.0.2
no_pings h2 10.0.0.1
pings h1 fd00::2
no_pings h2 fd00::1

step "errors about what is tracked come back: a port that nobody listens on is refused, not silent"
assert_contains "$(ask h1 udp 10.0.0.2 9 2>&1 || true)" 'Connection refused'
assert_contains "$(ask h1 udp fd00::2 9 2>&1 || true)" 'Connection refused'

step "each rule counted, and what was not allowed is dropped by the rules"
assert_lacks "$(ofctl dump-flows table=1,in_port=2,ct_state=+trk+rel | sed 1d)" 'n_packets=0,'
assert_lacks "$(ofctl dump-flows 'table=1,ct_state=+trk+est' | sed 1d)" 'n_packets=0,'

step "connections that nobody uses do not keep the control thread awake"
[ "$(appctl dpctl/ct-stats-show | sed -n 's/.*Total: *\([0-9]*\).*/\1/p' | head -1)" -gt 0 ] || fail "no connections"
turns() { ctl --json flows | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["turns"])'; }
before=$(turns)
sleep 2
after=$(turns)
[ $((after - before)) -lt 500 ] || fail "$((after - before)) turns in two seconds with nothing to do"

step "connections are listed, by zone, and flushed by a controller and by command"
answer h2 tcp 10.0.0.2 8
wait_until 20 listens h2 tcp 10.0.0.2 8
assert_eq "$(ask h1 tcp 10.0.0.2 8)" "you said hello"
list=$(appctl dpctl/dump-conntrack)
assert_matches "$list" '^udp,orig=\(src=fd00::1,dst=fd00::2,sport=[0-9]+,dport=7\),reply=\(src=fd00::2,dst=fd00::1,sport=7,dport=[0-9]+\),zone=5,mark=23,labels=0x1$'
assert_matches "$list" '^tcp,orig=\(src=10.0.0.1,dst=10.0.0.2,sport=[0-9]+,dport=8\),reply=.*,zone=5,mark=23,protoinfo=\(state=TIME_WAIT\)$'
assert_lacks "$list" SYN_RECV FIN_WAIT_2 # these are shown with -m
assert_matches "$list" '^icmp,orig=\(src=10.0.0.1,dst=10.0.0.2,id=[0-9]+,type=8,code=0\),reply=\(src=10.0.0.2,dst=10.0.0.1,id=[0-9]+,type=0,code=0\),zone=5,mark=23$'
assert_eq "$(appctl dpctl/dump-conntrack zone=6)" ''
assert_matches "$(appctl dpctl/ct-get-nconns)" '^[1-9][0-9]*$'
ofctl ct-flush-zone 6
assert_contains "$(appctl dpctl/dump-conntrack zone=5)" ',zone=5'
ofctl ct-flush-zone 5
assert_eq "$(appctl dpctl/dump-conntrack)" ''
none() { [ "$(appctl dpctl/ct-get-nconns)" = 0 ]; }
wait_until 5 none
assert_contains "$(ctl conntrack)" 'connections: 0 of 3000000'

step "ofproto/trace goes on behind ct"
trace=$(appctl ofproto/trace br0 in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2 --ct-next trk,est)
assert_contains "$trace" 'A clone of the packet is forked to recirculate. The forked pipeline will be resumed at table 1.' \
    'Datapath actions: ct(zone=5),recirc(0x' ' - resume conntrack with ct_state=trk|est' 'Datapath actions: 2'
assert_contains "$(appctl ofproto/trace br0 in_port=2,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2)" \
    'resume conntrack with default ct_state=trk|new (use --ct-next to customize)' 'Datapath actions: drop'

step "limits: a new connection too many is dropped, and told"
assert_contains "$(appctl dpctl/ct-set-maxconns 1)" successful
assert_eq "$(ask h1 tcp 10.0.0.2 8)" "you said hello"
refused h1 tcp 10.0.0.2 8
assert_lacks "$(ctl drops | grep ct_table_full)" '  0 '
assert_contains "$(ctl conntrack)" table_full
assert_contains "$(appctl dpctl/ct-set-maxconns 1000)" successful

step "a packet that a controller sends is tracked, too"
ofctl ct-flush-zone 5
ofctl packet-out 'in_port=1,packet=02000000000202000000000108004500001c00010000401166ce0a0000010a000002003500350008eb71,actions=ct(commit,zone=9)'
zone9() { [[ $(appctl dpctl/dump-conntrack zone=9) == udp,* ]]; }
wait_until 5 zone9

step "TCP sequence numbers are checked, unless that is switched off"
segment() { # FLAGS SEQUENCE_NUMBER OCTETS: of 10.0.0.1:4000 to 10.0.0.2:99, as hexadecimal
    "$PYTHON" -c '
import struct, sys
flags, seq, octets = map(int, sys.argv[1:])
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return struct.pack("!H", ~(total + (total >> 16)) & 0xffff)
ends = bytes([10, 0, 0, 1, 10, 0, 0, 2])
tcp = struct.pack("!HHIIBBHHH", 4000, 99, seq, 0, 0x50, flags, 1000, 0, 0) + bytes(octets)
ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends
tcp = tcp[:16] + checksum(ends + struct.pack("!HH", 6, len(tcp)) + tcp) + tcp[18:]
print("0200000000020200000000010800" + (ip[:10] + checksum(ip) + ip[12:] + tcp).hex())' "$@"
}
track() { ofctl packet-out "in_port=1,packet=$(segment "$@"),actions=ct(commit,zone=11)"; }
state_is() { [[ $(appctl dpctl/dump-conntrack -m zone=11) == *"protoinfo=(state_orig=$1,state_reply=CLOSED,flags_orig=,flags_reply=)"* ]]; }
refused_are() { [ "$(ctl --json conntrack | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["reasons"].get("tcp_window", 0))')" = "$1" ]; }
assert_contains "$(appctl dpctl/ct-get-tcp-seq-chk)" enabled
track 2 1000 0 # SYN
wait_until 5 state_is SYN_SENT
track 16 70000000 4 # far ahead
wait_until 5 refused_are 1
assert_contains "$(appctl dpctl/ct-disable-tcp-seq-chk)" successful
assert_contains "$(appctl dpctl/ct-get-tcp-seq-chk)" disabled
track 16 70000000 4
track 17 70000004 0 # FIN
wait_until 5 state_is CLOSING
refused_are 1 || fail "checked, though that is switched off"
assert_contains "$(appctl dpctl/ct-enable-tcp-seq-chk)" successful

step "helpers, as rules have them"
ofctl add-flow 'table=9,tcp,actions=ct(commit,alg=ftp)'
ofctl add-flow 'table=9,udp,actions=ct(commit,alg=tftp,zone=3)'
assert_contains "$(ofctl dump-flows --no-stats table=9)" 'actions=ct(commit,alg=ftp)' 'actions=ct(commit,zone=3,alg=tftp)'
