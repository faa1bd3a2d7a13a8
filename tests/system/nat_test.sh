#!/bin/bash
# Address translation by ovs-ofctl: SNAT and DNAT of real stacks, IPv4 and IPv6, ping errors both ways, what no address is left for.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
# As the kernel's sockets send: checksums unfinished, segments of 64 KB.
for n in 1 2; do
    ethtool -K "$(host_if h$n)" tx on rx on gso on tso on >/dev/null 2>&1
    in_ns h$n ethtool -K eth0 tx on rx on gso on tso on >/dev/null 2>&1
done
sluice_config '"fail_mode": "secure"' "$(system_json p1 1 h1)" "$(system_json p2 2 h2)"
start_sluice
for n in 1 2; do
    in_ns h$n sh -c 'for i in default lo eth0; do echo 0 >/proc/sys/net/ipv6/conf/$i/disable_ipv6; done'
    in_ns h$n ip -6 addr add fd00::$n/64 dev eth0 nodad
done
# Nobody has the translated addresses: the hosts know whose they are.
in_ns h2 ip neigh add 10.0.0.240 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
in_ns h2 ip -6 neigh add fd00::240 lladdr 02:00:00:00:00:01 dev eth0 nud permanent
in_ns h1 ip neigh add 10.0.0.100 lladdr 02:00:00:00:00:02 dev eth0 nud permanent
in_ns h1 ip -6 neigh add fd00::100 lladdr 02:00:00:00:00:02 dev eth0 nud permanent

# Says on what it is asked who asked, over HTTP, TCP and UDP.
cat >"$TEST_DIR/server.py" <<'PY'
import http.server, socket, sys, threading

class Who(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = ("%s %s %s\n" % (self.client_address[0].removeprefix("::ffff:"), self.client_address[1], "x" * 100000)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

Server(("::", int(sys.argv[1])), Who).serve_forever()
PY
background server ip netns exec "$(ns_name h2)" "$PYTHON" "$TEST_DIR/server.py" 8080
# "ADDRESS PORT" of the client as the server sees it.
who() { in_ns h1 curl -gsS -m 15 --noproxy '*' "$@" | cut -c1-60 | sed 's/ x.*//'; }
pings() { in_ns "$1" ping -c 3 -i 0.2 -W 2 -q "$2" >/dev/null || fail "$1 cannot ping $2"; }
rules() {
    ofctl del-flows
    {
        cat <<'FLOWS'
priority=20,arp,actions=NORMAL
priority=20,icmp6,icmp_type=135,actions=NORMAL
priority=20,icmp6,icmp_type=136,actions=NORMAL
priority=5,in_port=2,ip,actions=ct(table=1,zone=1,nat)
priority=5,in_port=2,ipv6,actions=ct(table=1,zone=1,nat)
table=1,priority=10,in_port=2,ct_state=+trk+est,ct_zone=1,actions=output:1
table=1,priority=10,in_port=2,ct_state=+trk+rel,ct_zone=1,actions=output:1
FLOWS
        printf '%s\n' "$@"
    } >"$TEST_DIR/flows"
    ofctl add-flows "$TEST_DIR/flows"
    appctl dpctl/flush-conntrack
}
listens() { in_ns h2 ss -ltn | grep -q :8080; }
wait_until 20 listens

step "SNAT: the server sees the address of the range; rules are told as they were given"
rules 'priority=10,in_port=1,ip,actions=ct(commit,zone=1,nat(src=10.0.0.240)),output:2' \
    'priority=10,in_port=1,ipv6,actions=ct(commit,zone=1,nat(src=fd00::240)),output:2'
answers() { in_ns h1 ping -c 1 -W 1 -q 10.0.0.2 >/dev/null && in_ns h1 ping -c 1 -W 1 -q fd00::2 >/dev/null; }
wait_until 30 answers
assert_contains "$(ofctl dump-flows --no-stats in_port=1,ip)" 'actions=ct(commit,zone=1,nat(src=10.0.0.240)),output:2'
assert_eq "$(who --local-port 4000 http://10.0.0.2:8080/)" '10.0.0.240 4000'
assert_eq "$(who --local-port 4010 'http://[fd00::2]:8080/')" 'fd00::240 4010'
pings h1 10.0.0.2
pings h1 fd00::2
list=$(appctl dpctl/dump-conntrack)
assert_matches "$list" '^tcp,orig=\(src=10.0.0.1,dst=10.0.0.2,sport=4000,dport=8080\),reply=\(src=10.0.0.2,dst=10.0.0.240,sport=8080,dport=4000\),zone=1,protoinfo=\(state=[A-Z0-9_]+\)$'
assert_matches "$list" '^icmpv6,orig=\(src=fd00::1,dst=fd00::2,id=[0-9]+,type=128,code=0\),reply=\(src=fd00::2,dst=fd00::240,id=[0-9]+,type=129,code=0\),zone=1$'
assert_contains "$(appctl ofproto/trace br0 in_port=1,tcp,nw_src=10.0.0.1,nw_dst=10.0.0.2)" 'Datapath actions: ct(commit,zone=1,nat(src=10.0.0.240)),2'

step "errors come back through it: a port that nobody listens on is refused"
ask() { in_ns "$1" "$PYTHON" "$TEST_LIB/ask.py" "$2" "$3" "$4" 2>&1 || true; }
assert_contains "$(ask h1 udp 10.0.0.2 9)" 'Connection refused'
assert_contains "$(ask h1 udp fd00::2 9)" 'Connection refused'

step "and the other way: whoever answers one that is gone is told"
cat >"$TEST_DIR/answer_late.py" <<'PY'
import socket, sys, time
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
sock = socket.socket(family, socket.SOCK_DGRAM)
sock.bind((sys.argv[1], 7))
said, who = sock.recvfrom(100)
time.sleep(1)
sock.connect(who)
sock.settimeout(3)
try:
    for _ in range(3):
        sock.send(said)
        time.sleep(0.3)
    print("nothing")
except OSError as error:
    print(error)
PY
for address in 10.0.0.2 fd00::2; do
    background "late-$address" ip netns exec "$(ns_name h2)" "$PYTHON" "$TEST_DIR/answer_late.py" "$address"
    waits() { in_ns h2 ss -Hlun | grep -qF -e " $address:7 " -e "[$address]:7 "; }
    wait_until 20 waits
    in_ns h1 "$PYTHON" -c "import socket, sys; s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'hello', (sys.argv[1], 7))" "$address"
    told() { grep -q 'Connection refused' "$TEST_DIR/late-$address.log"; }
    wait_until 6 told
done

step "a range of ports, and one after another when they are taken"
rules 'priority=10,in_port=1,ip,actions=ct(commit,zone=1,nat(src=10.0.0.240:5000-5001,random)),output:2'
seen=$(for port in 4001 4002; do who --local-port $port http://10.0.0.2:8080/; done | sort)
assert_eq "$seen" $'10.0.0.240 5000\n10.0.0.240 5001'
before=$(ctl drops | sed -n 's/^nat_exhausted *\([0-9]*\).*/\1/p')
! who --local-port 4003 -m 2 http://10.0.0.2:8080/ >/dev/null 2>&1 || [ -z "$(who -m 2 --local-port 4004 http://10.0.0.2:8080/ 2>/dev/null)" ] || fail "a third connection has two ports"
after=$(ctl drops | sed -n 's/^nat_exhausted *\([0-9]*\).*/\1/p')
[ "${after:-0}" -gt "${before:-0}" ] || fail "nat_exhausted counts $after"
assert_contains "$(ctl conntrack)" nat_exhausted

step "DNAT: a service's address leads to the server"
rules 'priority=10,in_port=1,ip,nw_dst=10.0.0.100,actions=ct(commit,zone=1,nat(dst=10.0.0.2:8080)),output:2' \
    'priority=10,in_port=1,ipv6,ipv6_dst=fd00::100,actions=ct(commit,zone=1,nat(dst=[fd00::2]:8080)),output:2'
assert_eq "$(who --local-port 4005 http://10.0.0.100/)" '10.0.0.1 4005'
assert_eq "$(who --local-port 4015 'http://[fd00::100]/')" 'fd00::1 4015'
assert_matches "$(appctl dpctl/dump-conntrack)" '^tcp,orig=\(src=10.0.0.1,dst=10.0.0.100,sport=4005,dport=80\),reply=\(src=10.0.0.2,dst=10.0.0.1,sport=8080,dport=4005\),zone=1'

step "a table behind ct(nat) sees what was translated, and that it was"
rules 'priority=10,in_port=1,ip,actions=ct(commit,zone=1,nat(src=10.0.0.240),table=2)' \
    'table=2,priority=10,in_port=1,ct_state=+trk+snat,ip,nw_src=10.0.0.240,ct_nw_src=10.0.0.1,actions=output:2' \
    'table=1,priority=20,in_port=2,ct_state=+trk+est+rpl+dnat,ip,nw_dst=10.0.0.1,actions=output:1'
assert_eq "$(who --local-port 4006 http://10.0.0.2:8080/)" '10.0.0.240 4006'
assert_lacks "$(ofctl dump-flows table=2 | sed 1d)" 'n_packets=0,'
assert_lacks "$(ofctl dump-flows 'table=1,ct_state=+trk+est+rpl+dnat' | sed 1d)" 'n_packets=0,'

step "iperf3 through both, a second each way"
background iperf ip netns exec "$(ns_name h2)" iperf3 -s -1 -p 5201
serves() { in_ns h2 ss -ltnH | grep -q ':5201 '; }
wait_until 20 serves
in_ns h1 iperf3 -c 10.0.0.2 -p 5201 -t 1 -J >"$TEST_DIR/iperf.json"
assert_matches "$("$PYTHON" -c 'import json,sys; print(int(json.load(open(sys.argv[1]))["end"]["sum_received"]["bits_per_second"] / 1e6))' "$TEST_DIR/iperf.json")" '^[0-9]{2,}$'

step "datagrams in fragments, the first of all as large as there are: 64 KB through SNAT and back, IPv4 and IPv6; what is held is told"
rules 'priority=10,in_port=1,ip,actions=ct(commit,zone=1,nat(src=10.0.0.240),table=2)' \
    'priority=10,in_port=1,ipv6,actions=ct(commit,zone=1,nat(src=fd00::240),table=2)' \
    'table=2,priority=10,in_port=1,ct_state=+trk+snat,actions=output:2'
cat >"$TEST_DIR/echo.py" <<'PY'
import socket
sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
sock.bind(("::", 9000))
while True:
    said, who = sock.recvfrom(65536)
    sock.sendto(said, who)
PY
cat >"$TEST_DIR/large.py" <<'PY'
import os, socket, sys
sock = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
for size in (65000, 1473, 4000, 60000):
    said = os.urandom(size)
    sock.sendto(said, (sys.argv[1], 9000))
    print(size if sock.recv(65536) == said else "changed")
PY
background echo ip netns exec "$(ns_name h2)" "$PYTHON" "$TEST_DIR/echo.py"
bound() { in_ns h2 ss -lun | grep -q :9000; }
wait_until 20 bound
for address in 10.0.0.2 fd00::2; do
    assert_eq "$(in_ns h1 "$PYTHON" "$TEST_DIR/large.py" "$address" | tr '\n' ' ')" '65000 1473 4000 60000 '
done
pings() { in_ns "$1" ping -c 2 -i 0.2 -W 2 -q -s 5000 "$2" >/dev/null || fail "$1 cannot ping $2 in fragments"; }
pings h1 10.0.0.2
pings h1 fd00::2
assert_matches "$(appctl dpctl/dump-conntrack)" '^udp,orig=\(src=10.0.0.1,dst=10.0.0.2,sport=[0-9]+,dport=9000\),reply=\(src=10.0.0.2,dst=10.0.0.240,sport=9000,dport=[0-9]+\),zone=1$'
status=$(appctl dpctl/ipf-get-status)
assert_matches "$status" '^ *v4 frags completed: [1-9][0-9]*$'
assert_matches "$status" '^ *v6 frags completed: [1-9][0-9]*$'
assert_contains "$status" 'num frag: 0' 'v4 frags overlapped: 0'
assert_contains "$(appctl dpctl/ipf-set-max-nfrags 5001 2>&1 || true)" 'at most 5000'
assert_contains "$(appctl dpctl/ipf-set-min-frag v4 399 2>&1 || true)" 'too small'
assert_contains "$(appctl dpctl/ipf-set-min-frag v5 400 2>&1 || true)" "'v4' for IPv4"

step "without reassembly fragments are invalid"
assert_contains "$(appctl dpctl/ipf-set-disabled v4)" 'disabling fragmentation reassembly successful'
! in_ns h1 ping -c 1 -W 1 -q -s 5000 10.0.0.2 >/dev/null || fail "fragments pass"
assert_matches "$(ctl conntrack)" '^fragment  *[1-9]'
assert_contains "$(appctl dpctl/ipf-set-enabled v4)" 'enabling fragmentation reassembly successful'
pings h1 10.0.0.2

step "where it is asked for, datagrams are one packet behind ct: whole to h2, which takes 5000 bytes, in fragments back to h1, which takes 1500"
ip link set "$(host_if h2)" mtu 5000
in_ns h2 ip link set eth0 mtu 5000
in_ns h2 ip route replace 10.0.0.0/24 dev eth0 mtu 1500 # answers are cut for the way back
in_ns h2 ip -6 route add fd00::/64 dev eth0 metric 1 mtu 1500
cat >"$TEST_DIR/seen.py" <<'PY'
import socket, sys
sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
sock.bind(("eth0", 0))
print("ready", flush=True)
while True:
    data, address = sock.recvfrom(65536)
    ip6 = data[0] >> 4 == 6
    proto, cut = (data[6], data[6] == 44) if ip6 else (data[9], (data[6] << 8 | data[7]) & 0x3fff != 0)
    if proto in (17, 44):
        print("out" if address[2] == 4 else "in", 6 if ip6 else 4, "fragment" if cut else "whole", len(data), flush=True)
PY
for n in 1 2; do
    background "seen$n" ip netns exec "$(ns_name h$n)" "$PYTHON" -u "$TEST_DIR/seen.py"
    is_ready() { grep -q ready "$TEST_DIR/seen$n.log"; }
    wait_until 10 is_ready
done
ROOT_KEYS='"conntrack": { "send_whole": true }' sluice_config '"fail_mode": "secure"' "$(system_json p1 1 h1)" "$(system_json p2 2 h2)"
assert_contains "$(ctl reload)" 'other handling of fragments'
rules 'priority=10,in_port=1,ip,actions=ct(commit,zone=1,nat(src=10.0.0.240),table=2)' \
    'priority=10,in_port=1,ipv6,actions=ct(commit,zone=1,nat(src=fd00::240),table=2)' \
    'table=2,priority=10,in_port=1,ct_state=+trk+snat,udp,tp_dst=9000,actions=output:2' \
    'table=2,priority=10,in_port=1,ct_state=+trk+snat,udp6,tp_dst=9000,actions=output:2'
mtu_is_known() { ctl --json ports | grep -q '"mtu": *5000'; }
wait_until 10 mtu_is_known
sed -i 's/in (65000, 1473, 4000, 60000)/in (60000, 4000, 1473)/' "$TEST_DIR/large.py"
for address in 10.0.0.2 fd00::2; do
    assert_eq "$(in_ns h1 "$PYTHON" "$TEST_DIR/large.py" "$address" | tr '\n' ' ')" '60000 4000 1473 '
done
seen=$(cat "$TEST_DIR/seen2.log")
assert_contains "$seen" 'in 4 whole 4028' 'in 6 whole 4048' 'in 4 fragment 1500' 'in 6 fragment 1496'
assert_lacks "$(cat "$TEST_DIR/seen1.log")" 'in 4 whole' 'in 6 whole'
assert_matches "$(ctl conntrack)" '^datagrams in fragments that went on whole: [1-9][0-9]*$'
