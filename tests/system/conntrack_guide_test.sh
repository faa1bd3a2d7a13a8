#!/bin/bash
# The examples of docs/conntrack.md as they stand there: a security group, and a NAT gateway with a service.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

# The flows of an example.
example() { awk -v name="$1" '/^```/ { inside = ($0 == "```flows " name); next } inside' "$TOP/docs/conntrack.md"; }
load() {
    example "$1" >"$TEST_DIR/flows"
    [ -s "$TEST_DIR/flows" ] || fail "docs/conntrack.md has no example $1"
    ofctl del-flows
    ofctl add-flows "$TEST_DIR/flows"
    appctl dpctl/flush-conntrack
}
ask() { in_ns "$1" "$PYTHON" "$TEST_LIB/ask.py" "$2" "$3" "$4"; }
refused() { ! ask "$@" >/dev/null 2>&1 || fail "$* got an answer"; }
answers() { local PID; background "answer-$1-$2-$3-$4" ip netns exec "$(ns_name "$1")" "$PYTHON" "$TEST_LIB/ask.py" "$2" "$3" "$4" answer; }
listens() { in_ns "$1" ss -ltn | grep -q ":$2 "; }
reaches() { in_ns "$1" ping -c 1 -W 1 -q "$2" >/dev/null; }

step "the security group"
load security-group
for port in 80 81; do
    answers h1 tcp 0.0.0.0 $port
    answers h2 tcp 0.0.0.0 $port
    wait_until 20 listens h1 $port
    wait_until 20 listens h2 $port
done
wait_until 30 reaches h2 10.0.0.1
assert_eq "$(ask h1 tcp 10.0.0.2 81)" "you said hello"
assert_eq "$(ask h2 tcp 10.0.0.1 80)" "you said hello"
refused h2 tcp 10.0.0.1 81
assert_contains "$(ask h1 udp 10.0.0.2 9 2>&1 || true)" 'Connection refused' # an error about a connection

step "connections by number, by protocol; and flushed by what they are"
assert_matches "$(appctl dpctl/ct-stats-show)" '^    Total: [1-9]'
assert_matches "$(appctl dpctl/ct-stats-show zone=7 verbose)" '^  TCP: [2-9]'
assert_matches "$(appctl dpctl/ct-bkts)" '^Current Connections: [1-9]'
assert_contains "$(appctl dpctl/dump-conntrack)" 'dport=80),'
appctl dpctl/flush-conntrack zone=7 ct_nw_proto=6,ct_tp_dst=80
assert_lacks "$(appctl dpctl/dump-conntrack)" 'dport=80),'
assert_contains "$(appctl dpctl/dump-conntrack)" 'dport=81),'
ofctl ct-flush ct_nw_src=10.0.0.1,ct_nw_proto=6
assert_lacks "$(appctl dpctl/dump-conntrack)" 'dport=81),'
assert_contains "$(appctl dpctl/flush-conntrack ct_tp_dst=80 2>&1 || true)" 'port is set without protocol'


assert_matches "$(ctl conntrack)" '^zone +7: [1-9]'
"$PYTHON" -c 'import json, sys; assert json.load(sys.stdin)["zones"][0]["zone"] == 7' < <(ctl --json conntrack)

step "limits of zones"
appctl dpctl/ct-set-limits default=10 zone=7,limit=1
assert_eq "$(appctl dpctl/ct-get-limits)" "default limit=10
zone=7,limit=1,count=$(appctl dpctl/ct-get-limits zone=7 | sed -n 's/.*count=//p')"
appctl dpctl/flush-conntrack
ask h1 tcp 10.0.0.2 81 >/dev/null
refused h1 tcp 10.0.0.2 80
appctl dpctl/ct-del-limits zone=7
assert_eq "$(ask h1 tcp 10.0.0.2 80)" "you said hello"
appctl dpctl/ct-del-limits default
assert_eq "$(appctl dpctl/ct-get-limits)" "default limit=0"

step "timeouts of zones without a policy, by command; what to list"
appctl dpctl/ct-set-default-timeout-policy netdev@ovs-netdev udp_first=900,udp_single=800 icmp_first=700
assert_matches "$(appctl dpctl/ct-get-default-timeout-policy)" '^tcp_syn_sent=30,.*,udp_first=900,udp_single=800,udp_multiple=30,icmp_first=700,icmp_reply=30$'
assert_contains "$(appctl dpctl/ct-set-default-timeout-policy udp_first=0 2>&1 || true)" 'udp_first: not a number of seconds'
assert_contains "$(appctl dpctl/ct-set-default-timeout-policy udp=5 2>&1 || true)" 'udp: no timeout'
appctl dpctl/flush-conntrack
ask h1 udp 10.0.0.2 9 >/dev/null 2>&1 || true
assert_matches "$(appctl dpctl/dump-conntrack -s ct_nw_proto=17,ct_tp_dst=9)" '^udp,orig=.*,timeout=(900|8[0-9][0-9])$'
assert_eq "$(appctl dpctl/dump-conntrack ct_nw_proto=17,ct_tp_dst=10)" ''
assert_eq "$(appctl dpctl/dump-conntrack mark=1)" ''
assert_contains "$(appctl dpctl/dump-conntrack mark=0/1 zone=7 ct_nw_src=10.0.0.1)" udp,orig=
assert_contains "$(appctl dpctl/dump-conntrack mark=x 2>&1 || true)" 'failed to parse mark'

step "when what ended is free again"
assert_eq "$(appctl dpctl/ct-get-sweep-interval)" 1000
assert_eq "$(appctl dpctl/ct-set-sweep-interval 100000)" 'setting sweep interval successful'
assert_contains "$(appctl dpctl/ct-set-sweep-interval x 2>&1 || true)" 'invalid sweep interval value'
assert_eq "$(appctl dpctl/ct-get-sweep-interval)" 100000
appctl dpctl/ct-set-sweep-interval 1000
assert_matches "$(ctl conntrack)" '^a second: [0-9.]+ made, [0-9.]+ ended, in the last [0-9]+ s$'

step "timeouts and the limit of zones, from the file, while the switch runs"
ROOT_KEYS='"conntrack": { "zone_limit": 50, "timeouts": { "udp_first": 7 } }' sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" \
    "$(port_json p2 2 h2)"
assert_contains "$(ctl reload)" 'other timeouts or limits of tracked connections'
assert_eq "$(appctl dpctl/ct-get-limits)" "default limit=50"
ask h1 udp 10.0.0.2 9 >/dev/null 2>&1 || true
assert_matches "$(appctl dpctl/dump-conntrack -s)" '^udp,orig=\(src=10.0.0.1,dst=10.0.0.2,sport=[0-9]+,dport=9\),.*,timeout=[0-7]$'

step "the NAT gateway"
load nat-gateway
in_ns h2 ip addr del 10.0.0.2/24 dev eth0
in_ns h2 ip addr add 192.0.2.2/24 dev eth0
in_ns h1 ip route add default via 10.0.0.254
wait_until 20 reaches h1 192.0.2.2
assert_eq "$(ask h1 tcp 192.0.2.2 81)" "you said hello"
assert_matches "$(appctl dpctl/dump-conntrack)" '^tcp,orig=\(src=10.0.0.1,dst=192.0.2.2,sport=[0-9]+,dport=81\),reply=\(src=192.0.2.2,dst=192.0.2.1,sport=81,dport=[0-9]+\),zone=1'
assert_contains "$(ask h1 udp 192.0.2.2 9 2>&1 || true)" 'Connection refused'
assert_eq "$(ask h2 tcp 192.0.2.1 8080)" "you said hello"
assert_matches "$(appctl dpctl/dump-conntrack)" '^tcp,orig=\(src=192.0.2.2,dst=192.0.2.1,sport=[0-9]+,dport=8080\),reply=\(src=10.0.0.1,dst=192.0.2.2,sport=80,dport=[0-9]+\),zone=1'
refused h2 tcp 192.0.2.1 81
