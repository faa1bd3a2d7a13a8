#!/bin/bash
# Ports alone: vhost-user in both modes with guests that are killed and come back, TAPs with several queues and long frames.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

sockets=$TEST_DIR/sockets
mkdir "$sockets"
guest() { "$TOP/scripts/guest" "$@"; }
name() { echo "$TEST_ID$1"; }

# What the switch and guests run on: hugepages where there are some, for two guests of 64 MB and the switch.
no_huge=(--no-huge --no-shconf -m 128)
guest_memory=(--no-huge)
memory=("${no_huge[@]}")
if [ "$(cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0)" -ge 128 ]; then
    guest_memory=()
    memory=(--in-memory -m 64)
fi

# cross_start LOG PORT PORT OPTION... -- EAL_ARGUMENT...
cross_start() {
    local log=$1 a=$2 b=$3 options=()
    shift 3
    while [ "$1" != -- ]; do options+=("$1"); shift; done
    shift
    background "$log" "$BUILD/tests/system/port-cross" "${options[@]}" "$a" "$b" -- \
        -l 0,1 --no-pci --file-prefix=sluice-test --log-level=lib.vhost.config:warning "$@"
    CROSS=$PID
    wait_until 10 grep -q '^ready' "$TEST_DIR/$log.log"
}

cross_stop() {
    kill -TERM "$CROSS"
    wait_until 5 grep -q '^mbufs in use' "$TEST_DIR/$1.log"
    grep -q '^mbufs in use: 0$' "$TEST_DIR/$1.log" || fail "packets were lost track of: $(grep '^mbufs' "$TEST_DIR/$1.log")"
}

# guest_up g1|g2 [OPTION...]
guest_up() {
    local guest=$1
    shift
    if [ "$guest" = g1 ]; then
        guest up "$(name g1)" "$sockets/client.sock" --server --ip 10.77.0.1/24 --mac 02:00:00:00:77:01 "${guest_memory[@]}" "$@"
    else
        guest up "$(name g2)" "$sockets/server.sock" --ip 10.77.0.2/24 --mac 02:00:00:00:77:02 "${guest_memory[@]}" "$@"
    fi
}

guests_ping() { guest exec "$(name g1)" ping -q -n -c 2 -i 0.2 -W 1 -s "${1:-56}" 10.77.0.2; }

vhost_round() {
    local log=$1 g
    shift
    step "$log: both modes"
    cross_start "$log" "client:$sockets/client.sock" "server:$sockets/server.sock" -- "$@"
    guest_up g1
    guest_up g2
    wait_until 10 guests_ping
    guests_ping 1400 >/dev/null || fail "long packets do not pass"
    for g in g1 g2; do
        step "$log: $g is killed in the middle of traffic and comes back"
        guest exec "$(name g1)" ping -q -f -w 2 -s 600 10.77.0.2 >/dev/null 2>&1 &
        sleep 0.5
        guest kill "$(name $g)"
        wait_until 5 grep -q '^event . down' "$TEST_DIR/$log.log"
        guest_up $g
        wait_until 10 guests_ping
        wait $! || true
    done
    step "$log: the port goes, its socket with it"
    cross_stop "$log"
    [ ! -e "$sockets/server.sock" ] || fail "the socket file is still there"
    grep -q '^port a rx [1-9]' "$TEST_DIR/$log.log" || fail "nothing was counted"

    step "$log: what a killed switch leaves is no hindrance to the next"
    cross_start "$log-2" "client:$sockets/client.sock" "server:$sockets/server.sock" -- "$@"
    kill -KILL "$CROSS"
    wait_until 5 test ! -e "/proc/$CROSS"
    [ -e "$sockets/server.sock" ] || fail "the test has no meaning without a left-over socket"
    cross_start "$log-3" "client:$sockets/client.sock" "server:$sockets/server.sock" -- "$@"
    guest kill "$(name g2)"
    guest_up g2
    wait_until 10 guests_ping
    cross_stop "$log-3"
    guest down "$(name g1)"
    guest down "$(name g2)"
}

on_exit netns "$(name g1)"
on_exit netns "$(name g2)"
[ ${#guest_memory[@]} -gt 0 ] || vhost_round hugepages "${memory[@]}"
vhost_round no-hugepages "${no_huge[@]}"

# echo_start COMMAND_PREFIX...: answers UDP on port 7 there
echo_start() {
    background echo "$@" "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data, peer)'
    ECHO=$PID
    sleep 0.3
}

# flows_answered ADDRESS COMMAND_PREFIX...: 64 flows, so that the kernels spread them over all queues
flows_answered() {
    local address=$1
    shift
    "$@" "$PYTHON" -c '
import socket, sys
for flow in range(64):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(b"x", (sys.argv[1], 7))
    assert s.recv(10) == b"x"' "$address" || fail "a flow on some queue is not answered"
}

for queues in 1 2 4; do
    step "guests with three queue pairs on ports with $queues"
    cross_start "queues-$queues" "client:$sockets/client.sock" "server:$sockets/server.sock" -q $queues -- "${memory[@]}"
    guest_up g1 --queues 3
    guest_up g2 --queues 3
    wait_until 10 guests_ping
    echo_start ip netns exec "$(name g2)"
    flows_answered 10.77.0.2 ip netns exec "$(name g1)"
    kill "$ECHO"
    cross_stop "queues-$queues"
    guest down "$(name g1)"
    guest down "$(name g2)"
done

step "two TAPs with three queues and MTU 9000, as hosts in namespaces"
ns_make h1
ns_make h2
t1=${TEST_ID}t1 t2=${TEST_ID}t2
cross_start tap "tap:$t1" "tap:$t2" -q 3 -m 9000 -- --no-huge --no-shconf -m 128
assert_eq "$(cat "/sys/class/net/$t1/mtu")" 9000 "mtu of the TAP"
ip link set "$t1" netns "$(ns_name h1)" name eth0
ip link set "$t2" netns "$(ns_name h2)" name eth0
in_ns h1 ip addr add 10.78.0.1/24 dev eth0
in_ns h2 ip addr add 10.78.0.2/24 dev eth0
in_ns h1 ip link set eth0 mtu 9000 up
in_ns h2 ip link set eth0 mtu 9000 up
ping_ok h1 10.78.0.2
in_ns h1 ping -q -n -c 2 -i 0.2 -W 1 -M do -s 8900 10.78.0.2 >/dev/null || fail "long frames do not pass"
echo_start ip netns exec "$(ns_name h2)"
flows_answered 10.78.0.2 ip netns exec "$(ns_name h1)"
step "a TAP that goes down is reported"
in_ns h2 ip link set eth0 down
wait_until 5 grep -q '^event b down' "$TEST_DIR/tap.log"
in_ns h2 ip link set eth0 up
wait_until 5 grep -q '^event b up' "$TEST_DIR/tap.log"
cross_stop tap
wait_until 5 sh -c "! ip netns exec $(ns_name h1) ip link show eth0"
