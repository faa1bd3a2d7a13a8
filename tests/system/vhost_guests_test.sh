#!/bin/bash
# Two guests without virtual machines: vhost-user in both modes, TCP, guests and the switch going and coming back.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/guests.sh"

s1=$TEST_DIR/vm1.sock s2=$TEST_DIR/vm2.sock
sluice_config '"fail_mode": "secure"' \
    "{ \"name\": \"vm1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s1\" }" \
    "{ \"name\": \"vm2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s2\" }"
start_sluice
ofctl add-flow in_port=1,actions=output:2
ofctl add-flow in_port=2,actions=output:1

if [ "$HUGEPAGES" = true ]; then g1_memory=(); else g1_memory=(--no-huge); fi
g1() { guest_up g1 "$s1" "${g1_memory[@]}" --server --ip 10.0.0.1/24 --mac 02:00:00:00:00:01 "$@"; }
# shellcheck disable=SC2120
g2() { guest_up g2 "$s2" --ip 10.0.0.2/24 --mac 02:00:00:00:00:02 --no-huge "$@"; }

step "guests ping each other, one with hugepages and one without where there are any"
g1
g2
wait_until 10 ping_once g1 10.0.0.2
ping_ok g1 10.0.0.2 10
ping_ok g2 10.0.0.1 10
assert_eq "$(ofctl dump-ports-desc | grep -A2 '(vm[12])' | grep -c 'state: *\(0\|LIVE\)$')" 2 "ports with link up"

step "a large ping and TCP"
in_ns g1 ping -q -n -c 3 -i 0.2 -s 1400 10.0.0.2 >/dev/null
background iperf3 ip netns exec "$(ns_name g2)" taskset -c 0 iperf3 -s
wait_until 5 in_ns g2 sh -c 'ss -tln | grep -q :5201'
rate=$(in_ns g1 taskset -c 0 iperf3 -c 10.0.0.2 -n 20M -f m | awk '/receiver/ {print $7, $8}')
echo "  $rate"

step "each queue is counted, as Open vSwitch names it, and the queues together are the port"
queues_add_up() {
    "$PYTHON" - <(ctl --json ports) <<'PYTHON'
import json, sys
for port in (p for p in json.load(open(sys.argv[1])) if p["name"] in ("vm1", "vm2")):
    s = port["statistics"]
    for way in ("rx", "tx"):
        assert s[f"{way}_q0_good_packets"] > 50 and s[f"{way}_q0_good_bytes"] > 3000, port
        for what in ("packets", "bytes"):
            queues = [n for name, n in s.items() if name.startswith(f"{way}_q") and name.endswith(f"_good_{what}")]
            assert sum(queues) == port[way][what], port
        assert f"{way}_q0_errors" in s and f"{way}_q0_guest_notifications" in s, port
PYTHON
}
wait_until 5 queues_add_up

for guest in g1 g2; do
    step "$guest is killed and comes back"
    guest_kill "$guest"
    ping_none "$([ $guest = g1 ] && echo g2 || echo g1)" "$([ $guest = g1 ] && echo 10.0.0.1 || echo 10.0.0.2)"
    $guest --queues 1
    wait_until 10 ping_once g1 10.0.0.2
    ping_ok g2 10.0.0.1
done

step "the switch is stopped and started: the guest that owns its socket is found again"
stop_sluice
[ ! -e "$s2" ] || fail "$s2 is left behind"
start_sluice
ofctl add-flow in_port=1,actions=output:2
ofctl add-flow in_port=2,actions=output:1
guest_kill g2
g2
wait_until 10 ping_once g2 10.0.0.1
ping_ok g1 10.0.0.2

step "owner and permissions of the socket change while its guest runs, and keep others out"
socket_access() { # KEY-VALUES...: of vm2's socket from now on
    sluice_config '"fail_mode": "secure"' \
        "{ \"name\": \"vm1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s1\" }" \
        "{ \"name\": \"vm2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s2\"$1 }"
    ctl reload
}
may_connect() { setpriv --reuid 4711 --regid "$1" --clear-groups socat -u OPEN:/dev/null "UNIX-CONNECT:$s2" 2>/dev/null; }
chmod 711 "$TEST_DIR"
assert_fails may_connect 4712
out=$(socket_access ', "socket_mode": "0660", "socket_owner": "daemon", "socket_group": 4712')
assert_contains "$out" vm2 changed
assert_eq "$(stat -c '%a %U %g' "$s2")" '660 daemon 4712' "the socket's permissions, owner and group"
may_connect 4712
assert_fails may_connect 4711
ping_ok g1 10.0.0.2
assert_fails socket_access ', "socket_owner": "nobody-of-that-name"'
assert_contains "$OUTPUT" 'bridges[0].ports[1].socket_owner' /etc/passwd
assert_eq "$(stat -c '%a %U %g' "$s2")" '660 daemon 4712' "what a refused reload leaves"
socket_access '' >/dev/null
assert_fails may_connect 4712
ping_ok g1 10.0.0.2

stop_sluice
