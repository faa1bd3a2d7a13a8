# Hosts of a system test: network namespaces, each with one interface `eth0` that the switch reaches by AF_PACKET.
# Names are short ("h1"); the namespace's real name carries the test's pid, so that tests of several trees do not meet.
# shellcheck shell=bash

ns_name() { echo "$TEST_ID$1"; }

# in_ns HOST COMMAND...
in_ns() {
    local name
    name=$(ns_name "$1")
    shift
    ip netns exec "$name" "$@"
}

# An empty namespace without IPv6, whose neighbour discovery would mix with the packets under test.
ns_make() {
    local name
    name=$(ns_name "$1")
    ip netns add "$name"
    on_exit netns "$name"
    in_ns "$1" sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
    in_ns "$1" ip link set lo up
}

# host_make HOST [A.B.C.D/N [MAC]]: a namespace with eth0; the other end is the interface $(host_if HOST) for the switch.
# Offloads are off on both ends: a packet on the wire of a veth pair may otherwise lack its checksum or exceed the MTU.
host_make() {
    ns_make "$1"
    host_wire "$@"
    on_exit link "$(host_if "$1")"
}

# host_wire HOST [A.B.C.D/N [MAC]]: the pair of interfaces alone, again after they were deleted
host_wire() {
    local host=$1 ip=${2:-} mac=${3:-} peer
    peer=$(host_if "$host")
    ip link add "$peer" type veth peer name eth0 netns "$(ns_name "$host")"
    echo 1 >"/proc/sys/net/ipv6/conf/$peer/disable_ipv6"
    ethtool -K "$peer" tx off rx off gro off gso off tso off >/dev/null 2>&1 || true
    in_ns "$host" ethtool -K eth0 tx off rx off gro off gso off tso off >/dev/null 2>&1 || true
    ip link set "$peer" up
    [ -z "$mac" ] || in_ns "$host" ip link set eth0 address "$mac"
    in_ns "$host" ip link set eth0 up
    [ -z "$ip" ] || in_ns "$host" ip addr add "$ip" dev eth0
}

host_if() { echo "${TEST_ID}v$1"; }
host_mac() { in_ns "$1" cat /sys/class/net/eth0/address; }

# The JSON of a port that is wired to HOST: port_json NAME OFPORT HOST
port_json() {
    printf '{ "name": "%s", "ofport": %d, "type": "dpdk", "devargs": "net_af_packet_%s,iface=%s" }' "$1" "$2" "$1" \
        "$(host_if "$3")"
}

# The same as a port of the switch's own for interfaces of the kernel.
system_json() { printf '{ "name": "%s", "ofport": %d, "type": "system", "ifname": "%s" }' "$1" "$2" "$(host_if "$3")"; }

# ping_ok HOST ADDRESS [COUNT]: all of them are answered
ping_ok() { in_ns "$1" ping -q -n -c "${3:-3}" -i 0.2 -W 2 "$2" >"$TEST_DIR/ping.out" || fail "ping $1 -> $2: $(cat "$TEST_DIR/ping.out")"; }
# ping_none HOST ADDRESS: none is
ping_none() { ! in_ns "$1" ping -q -n -c 2 -i 0.2 -W 1 "$2" >/dev/null || fail "ping $1 -> $2 was answered"; }
# one try, for wait_until
ping_once() { in_ns "$1" ping -q -n -c 1 -W 1 "$2"; }

# packet.py sees hosts by their short names; see there. The first call starts the process that answers all of them.
packets() {
    local PID socket=$TEST_DIR/packets.socket
    if [ ! -S "$socket" ]; then
        background packets env TEST_ID="$TEST_ID" "$PYTHON" "$TEST_LIB/packet.py" --serve "$socket"
        wait_until 5 test -S "$socket"
    fi
    "$PYTHON" -S "$TEST_LIB/packet.py" --ask "$socket" "$@"
}

# capture HOST: records what arrives at HOST's eth0 from now on, one text line a packet, for captured
capture() {
    background "capture-$1" ip netns exec "$(ns_name "$1")" tcpdump -l -nn -e -Q in -i eth0
    wait_until 5 grep -q 'listening on' "$TEST_DIR/capture-$1.log"
}
# captured HOST REGEX: for wait_until
captured() { grep -qE -- "$2" "$TEST_DIR/capture-$1.log"; }
