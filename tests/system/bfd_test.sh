#!/bin/bash
# BFD: between two sluiced, and with Open vSwitch; a path that is cut, a failover, a flood of misses, packets that nobody may send.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such commands"; exit 0; }

# p1 of the switch and p1 of the other one are joined through the bridge br1, whose rules are the path: it can be cut where no end of it
# sees a link go down.
link_make() { # NAME NAME: both ends here
    ip link add "$TEST_ID$1" type veth peer name "$TEST_ID$2"
    on_exit link "$TEST_ID$1"
    for end in "$1" "$2"; do
        echo 1 >"/proc/sys/net/ipv6/conf/$TEST_ID$end/disable_ipv6"
        ip link set "$TEST_ID$end" up
    done
}
wire_json() { # NAME OFPORT INTERFACE [MORE]
    printf '{ "name": "%s", "ofport": %d, "type": "system", "ifname": "%s"%s }' "$1" "$2" "$TEST_ID$3" "${4:+, $4}"
}
link_make a m
link_make n b
bfd='"bfd": { "enable": true, "min_rx": 100, "min_tx": 100 }'
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3

"$PYTHON" - "$TEST_DIR/storm.pcap" "$TOP/scripts/bench.d" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[2])
import traffic
traffic.udp(sys.argv[1], 40000)
PYTHON
config() { # BFD
    DPDK_KEYS='"mbufs": 65535, "mbuf_size": 1024' PMD_KEYS='"max_sleep_us": 1000, "megaflow_limit": 5000' sluice_config '"fail_mode": "secure"' \
        "$(wire_json p1 1 a "\"mtu\": 800, $1")" "$(system_json p2 2 h2 | sed 's/ }/, "mtu": 800 }/')" \
        "$(system_json p3 3 h3 | sed 's/ }/, "mtu": 800 }/')" \
        "{ \"name\": \"storm\", \"ofport\": 9, \"type\": \"dpdk\", \"mtu\": 800, \"devargs\": \"net_pcap_in,rx_pcap=$TEST_DIR/storm.pcap,infinite_rx=1\" }"
    sed -i "s|\"bridges\": \[ {|\"bridges\": [ { \"name\": \"br1\", \"fail_mode\": \"secure\", \"ports\": [ $(wire_json m 1 m '"mtu": 800'), $(wire_json n 2 n '"mtu": 800') ] }, {|" \
        "$TEST_DIR/sluice.json"
}
config "$bfd"
cat >"$TEST_DIR/other.json" <<JSON
{
  "run_dir": "$TEST_DIR/other",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "256", "--file-prefix", "${TEST_ID}o"], "hugepages": false },
  "pmd": { "cores": [$PMD_CORE], "max_sleep_us": 1000 },
  "control": { "core": 0 },
  "bridges": [ { "name": "br0", "fail_mode": "secure", "ports": [ $(wire_json p1 1 b "$bfd"), $(system_json p2 2 h1) ] } ]
}
JSON
start_sluice
ofctl mod-port storm down
LOG=$TEST_DIR/sluiced.log
other() { "$SLUICECTL" -t "$TEST_DIR/other/sluiced.ctl" "$@"; }
mid() { ovs-ofctl -t 10 "$1" "unix:$RUN_DIR/br1.mgmt" "${@:2}"; }
path() { mid add-flow in_port=1,actions=output:2; mid add-flow in_port=2,actions=output:1; }
cut_path() { mid del-flows; }

# Sessions rest on all who take part getting their turns, which other work on the machine is not to keep from them.
favour() { # PID
    { echo -20 >"/proc/$1/autogroup"; } 2>/dev/null || true
    for task in /proc/"$1"/task/*; do renice -n -20 -p "$(basename "$task")" >/dev/null || true; done
}
# steady SECONDS SESSION...: forwarding of each (OF PORT) does not change for so long; one of three tries may meet a busy machine
steady() {
    local seconds=$1 before
    shift
    for _ in 1 2 3; do
        before=$(flap_counts "$@")
        sleep "$seconds"
        [ "$(flap_counts "$@")" != "$before" ] || return 0
    done
    fail "forwarding changes: $before, $(flap_counts "$@")"
}
flap_counts() { for session in "$@"; do member "${session% *}" "${session#* }" flap_count; done; }
# member OF PORT NAME: of the JSON of bfd/show
member() {
    "$1" --json bfd/show "$2" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)[0][sys.argv[1]])' "$3"
}
state_is() { [ "$(member "$1" "$2" state)" = "$3" ]; }
sessions_up() { state_is ctl p1 up && state_is other p1 up; }
# ms_to_down COMMAND...: from its end to the line in the log
ms_to_down() {
    local before end at
    before=$(grep -c 'p1: BFD: down, was up' "$LOG" || true)
    "$@"
    end=$(date +%s%3N)
    wait_until 5 more_lines "$before"
    at=$(date -d "$(grep 'p1: BFD: down, was up' "$LOG" | tail -n 1 | cut -d'|' -f1)" +%s%3N)
    echo $((at - end))
}
more_lines() { [ "$(grep -c 'p1: BFD: down, was up' "$LOG")" -gt "$1" ]; }

step "no neighbor: down, and the port is not live"
state_is ctl p1 down || fail "state $(member ctl p1 state)"
! OF=OpenFlow13 ofctl dump-ports-desc | grep -A6 '1(p1)' | grep -q LIVE || fail "p1 is live"

step "two sluiced find each other"
background other "$SLUICED" "$TEST_DIR/other.json"
wait_until 15 test -S "$TEST_DIR/other/sluiced.ctl"
favour "$PID"
favour "$SLUICE_PID"
path
wait_until 10 sessions_up
OF=OpenFlow13 ofctl dump-ports-desc | grep -A6 '1(p1)' | grep -q LIVE || fail "p1 is not live"
shown=$(appctl bfd/show p1)
assert_contains "$shown" "  Forwarding: true" "  Local Session State: up" "  Remote Session State: up" "  Detect Multiplier: 3" \
    "  TX Interval: Approx 100ms" "  Local Diagnostic: No Diagnostic" "  Remote Detect Multiplier: 3"
assert_contains "$(appctl bfd/show)" "---- p1 ----"
assert_contains "$(ctl ports p1)" "bfd up, forwarding true"
assert_contains "$(appctl bfd/show nobody 2>&1 || true)" "no such bfd object"

step "its packets pass by the tables, others do not"
ofctl add-flow 'cookie=9,priority=9,udp,tp_dst=3784,actions=drop'
ofctl add-flow 'cookie=8,priority=8,udp,actions=output:3'
"$PYTHON" - "${TEST_ID}m" <<'PYTHON'
import sys
from scapy.all import Ether, IP, UDP, sendp
sendp([Ether(dst="00:23:20:00:00:01") / IP(src="169.254.1.1", dst="169.254.1.0", ttl=255) / UDP(sport=50000, dport=port)
       for port in (3783, 3785, 53, 65535, 0)], iface=sys.argv[1], verbose=False)
PYTHON
wait_until 3 rule_packets_are 5 cookie=8/-1 || fail "$(ofctl dump-flows)"
assert_eq "$(rule_packets cookie=9/-1)" 0 "BFD packets that rules saw"
assert_contains "$(appctl ofproto/trace br0 'in_port=1,udp,tp_dst=3784,nw_ttl=255')" "which the switch speaks on p1"
assert_lacks "$(appctl ofproto/trace br0 'in_port=1,udp,tp_dst=3785')" "which the switch speaks on p1"
assert_lacks "$(appctl ofproto/trace br0 'in_port=2,udp,tp_dst=3784')" "which the switch speaks"

step "a path that is cut is seen within three intervals, and a group fails over"
OF=OpenFlow13 ofctl add-group 'group_id=1,type=ff,bucket=watch_port:1,output:1,bucket=watch_port:2,output:2'
OF=OpenFlow13 ofctl add-flow 'priority=20,in_port=3,actions=group:1'
goes_by() { appctl ofproto/trace br0 'in_port=3,udp' | grep -q "^Datapath actions: $(ctl --json ports "$1" | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)[0]["index"])')\$"; }
goes_by p1 || fail "the group does not take p1"
times=()
for _ in 1 2 3 4; do
    times+=("$(ms_to_down cut_path)")
    wait_until 2 state_is other p1 down
    assert_eq "$(member ctl p1 diagnostic)" "Control Detection Time Expired" diagnostic
    goes_by p2 || fail "the group does not take p2"
    path
    wait_until 10 sessions_up
done
goes_by p1 || fail "the group does not return to p1"
late=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 3p)
echo "  seen after ${times[*]} ms"
[ "$late" -le 330 ] || fail "a path that is cut is seen after ${times[*]} ms"

step "an operator has the last word"
assert_eq "$(appctl bfd/set-forwarding p1 false)" OK
goes_by p2 || fail "the group takes p1"
assert_eq "$(appctl bfd/set-forwarding normal)" OK
goes_by p1 || fail "the group does not take p1"

step "what is configured anew"
config '"bfd": { "enable": true, "min_rx": 300, "min_tx": 100, "mult": 5, "cpath_down": true }'
ctl reload >/dev/null
remote_says() { [ "$(member other p1 remote_diagnostic)" = "Concatenated Path Down" ] && [ "$(member other p1 forwarding)" = False ]; }
wait_until 5 remote_says
wait_until 5 sessions_up
assert_eq "$(member ctl p1 mult)" 5 multiplier
assert_eq "$(member other p1 tx_interval_us)" 300000 "interval of the other end"
config '"bfd": { "enable": true, "min_rx": 100, "min_tx": 100, "decay_min_rx": 50 }'
assert_contains "$(ctl reload 2>&1 || true)" "decay_min_rx" "must not be below min_rx"
config '"bfd": { "enable": false }'
ctl reload >/dev/null
told() { [ "$(member other p1 remote_diagnostic)" = "Administratively Down" ]; }
wait_until 2 told
assert_contains "$(appctl bfd/show p1 2>&1 || true)" "no such bfd object"
config "$bfd"
ctl reload >/dev/null
wait_until 10 sessions_up

step "a flood of misses, bundles of many rules and dumps of them delay no packet of a session"
ofctl add-flow 'priority=30,in_port=9,udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_IP_SRC[]->NXM_NX_REG1[],output:2'
ofctl mod-port storm up
for ((i = 0; i < 30000; i++)); do echo "table=9,priority=$((i % 7 + 1)),udp,nw_dst=10.$((i >> 16)).$((i >> 8 & 255)).$((i & 255)),tp_dst=$((i % 50000)),actions=output:2"; done >"$TEST_DIR/rules"
requests() {
    while :; do
        OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/rules"
        ofctl dump-flows table=9 | wc -l
        ofctl del-flows table=9
    done
}
requests >"$TEST_DIR/requests.log" 2>&1 &
requests=$!
echo "pid $requests" >>"$TEST_DIR/on_exit"
steady 4 "ctl p1" "other p1"
times=()
for _ in 1 2 3; do
    times+=("$(ms_to_down cut_path)")
    path
    wait_until 10 sessions_up
done
kill "$requests"
[ "$(grep -c '^30[0-9]\{3\}$' "$TEST_DIR/requests.log")" -gt 0 ] || fail "no bundle came through: $(cat "$TEST_DIR/requests.log")"
ofctl del-flows table=9
late=$(printf '%s\n' "${times[@]}" | sort -n | sed -n 2p)
echo "  a path that is cut meanwhile is seen after ${times[*]} ms"
[ "$late" -le 330 ] || fail "in the flood a path that is cut is seen after ${times[*]} ms"
drops=$(ctl --json drops)
ofctl mod-port storm down
[ "$("$PYTHON" -c 'import json, sys; d = json.load(sys.stdin); print(d["miss_port_quota"] + d["miss_ring_full"] > 10000)' <<<"$drops")" = True ] || fail "there was no flood"
assert_contains "$drops" '"protocol_limit": 0'

step "packets that are not as they have to be"
faulty() { ctl --json drops | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["protocol_faulty"])'; }
cut_path
sleep 0.2
before=$(faulty)
"$PYTHON" - "${TEST_ID}m" <<'PYTHON'
import sys
from scapy.all import Ether, IP, UDP, Raw, sendp
good = bytes([0x20, 0x40, 3, 24]) + (7).to_bytes(4, "big") + bytes(4) + (1000000).to_bytes(4, "big") * 2 + bytes(4)
def send(ip, payload, n=1):
    sendp(Ether(dst="00:23:20:00:00:01") / ip / UDP(sport=50000, dport=3784) / Raw(payload), iface=sys.argv[1], count=n, verbose=False)
ip = IP(src="169.254.1.1", dst="169.254.1.0", ttl=255)
send(IP(src="169.254.1.1", dst="169.254.1.0", ttl=254), good, 3)
send(ip, good[:20])
send(ip, b"\x40" + good[1:])
send(ip, good[:2] + b"\0" + good[3:])
send(ip, good[:1] + b"\xc0" + good[2:])
PYTHON
discarded() { ctl --json bfd/show p1 | "$PYTHON" -c 'import json, sys; d = json.load(sys.stdin)[0]["discarded"]; print(*sorted(d.items()))'; }
all_discarded() { [ "$(discarded)" = "('multiplier', 1) ('short', 1) ('ttl', 3) ('version', 1) ('your_discriminator', 1)" ]; }
wait_until 3 all_discarded || fail "discarded: $(discarded)"
assert_eq "$(($(faulty) - before))" 7 "drops as protocol_faulty"
path
wait_until 10 sessions_up

step "with Open vSwitch, in a namespace of its own"
OVS_DIR=$TEST_DIR/ovs
mkdir "$OVS_DIR"
ovsdb-tool create "$OVS_DIR/conf.db" /usr/share/openvswitch/vswitch.ovsschema
in_h3=(ip netns exec "$(ns_name h3)" env OVS_RUNDIR="$OVS_DIR" OVS_DBDIR="$OVS_DIR" OVS_LOGDIR="$OVS_DIR" OVS_SYSCONFDIR="$OVS_DIR")
vsctl() { "${in_h3[@]}" ovs-vsctl --timeout=20 --db="unix:$OVS_DIR/db.sock" "$@"; }
background ovsdb "${in_h3[@]}" ovsdb-server "$OVS_DIR/conf.db" --remote="punix:$OVS_DIR/db.sock" --unixctl="$OVS_DIR/ovsdb.ctl"
wait_until 5 test -S "$OVS_DIR/db.sock"
vsctl --no-wait init
background ovs "${in_h3[@]}" ovs-vswitchd "unix:$OVS_DIR/db.sock" --unixctl="$OVS_DIR/ovs.ctl"
OVS_PID=$PID
favour "$OVS_PID"
vsctl add-br br0 -- set Bridge br0 datapath_type=netdev fail_mode=secure -- add-port br0 eth0 -- set Interface eth0 bfd:enable=true \
    bfd:min_rx=200 bfd:min_tx=100
config "$bfd"
sed -i "s|\(\"name\": \"p3\",\)|\1 \"bfd\": { \"enable\": true, \"min_rx\": 200, \"min_tx\": 150 },|" "$TEST_DIR/sluice.json"
ctl reload >/dev/null
ovs_says() { vsctl --if-exists get Interface eth0 bfd_status:state bfd_status:forwarding bfd_status:remote_state | tr -d '"\n'; }
with_ovs_up() { state_is ctl p3 up && [ "$(ovs_says)" = uptrueup ]; }
wait_until 10 with_ovs_up
agreed() { [ "$(member ctl p3 tx_interval_us) $(member ctl p3 rx_interval_us)" = "200000 200000" ]; }
wait_until 5 agreed
steady 3 "ctl p3"
# It stops.
at=$(date +%s%3N)
kill -STOP "$OVS_PID"
wait_until 5 state_is ctl p3 down
took=$(($(date -d "$(grep 'p3: BFD: down, was up' "$LOG" | tail -n 1 | cut -d'|' -f1)" +%s%3N) - at))
[ "$took" -lt 700 ] || fail "seen after $took ms"
kill -CONT "$OVS_PID"
wait_until 10 with_ovs_up
# Sluice's side of the path is cut: Open vSwitch sees it, and says so.
ofctl mod-port 3 no-forward
ovs_down() { [ "$(ovs_says)" != uptrueup ]; }
wait_until 5 ovs_down
neighbor_down() { [ "$(member ctl p3 diagnostic)" = "Neighbor Signaled Session Down" ]; }
wait_until 5 neighbor_down
ofctl mod-port 3 forward
wait_until 10 with_ovs_up

step "a port that goes, and its session"
sed -i '/"name": "p3"/d; s/\("name": "p2".*\),$/\1,/' "$TEST_DIR/sluice.json"
ctl reload >/dev/null
assert_contains "$(appctl bfd/show p3 2>&1 || true)" "no such bfd object"
wait_until 5 sessions_up
stop_sluice
