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

stop_sluice
