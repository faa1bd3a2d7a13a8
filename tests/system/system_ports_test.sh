#!/bin/bash
# Ports of the type "system": frames and VLAN tags as they are, an interface that goes and comes back, several queues.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "the configuration's own port type"; exit 0; }

LOG=$TEST_DIR/sluiced.log
state_is() { ctl --json ports "$1" | grep -q "\"link\": \"$2\""; }
index_of() { ctl --json ports "$1" | sed -n 's/.*"index": \([0-9]*\).*/\1/p'; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
ns_make h3
ns_make h4
on_exit link "$(host_if h3)"
on_exit link "$(host_if h4)"
veth=$(host_if h1)
PMD_KEYS='"max_sleep_us": 100' sluice_config '"fail_mode": "standalone"' "$(system_json p1 1 h1)" "$(system_json p2 2 h2)" \
    "$(system_json p3 3 h3)" "$(port_json p4 4 h4)"
host_wire h4 10.0.0.4/24 02:00:00:00:00:04

step "an interface that is not there yet does not keep the switch from starting"
start_sluice
wait_until 5 state_is p1 up
state_is p3 down || fail "p3 is up without an interface"
assert_contains "$(cat "$LOG")" "p3: there is no interface $(host_if h3): the port is down until there is one"
assert_contains "$(ctl ports p3)" "error its network interface is not there"
assert_eq "$(ctl reload)" "nothing differs"
ping_ok h1 10.0.0.2
ping_ok h1 10.0.0.4
ping_ok h4 10.0.0.2
host_wire h3 10.0.0.3/24 02:00:00:00:00:03
wait_until 5 state_is p3 up
wait_until 5 ping_once h3 10.0.0.4

step "frames arrive as they were sent, tags with their type, once, and not where they came from"
ofctl add-flow priority=2000,in_port=1,actions=2
ofctl add-flow priority=2000,in_port=2,actions=1
for tags in '' 'Dot1Q(vlan=5, prio=3)/' 'Dot1AD(vlan=7, id=1)/' 'Dot1AD(vlan=7)/Dot1Q(vlan=9)/' 'Dot1Q(vlan=7)/Dot1Q(vlan=9)/'; do
    for length in 0 46 1400; do
        packets h1 "Ether(src='02:00:00:00:00:01', dst='02:00:00:00:00:02')/${tags}IP(src='10.0.0.1', dst='10.0.0.2')/UDP(sport=1, dport=2)/Raw('x' * $length)" \
            20 h2=same h1=none h3=none h4=none
    done
done
ofctl --strict del-flows priority=2000,in_port=1
ofctl --strict del-flows priority=2000,in_port=2

step "the interface follows mtu, and its own MTU counts without it"
ip link set "$veth" mtu 3000
in_ns h1 ip link set eth0 mtu 3000
ip link set "$(host_if h2)" mtu 3000
in_ns h2 ip link set eth0 mtu 3000
mtu_is() { ctl --json ports "$1" | grep -q "\"mtu\": $2"; }
wait_until 5 mtu_is p1 3000
wait_until 5 mtu_is p2 3000
in_ns h1 ping -q -n -c 2 -i 0.2 -W 1 -M do -s 2900 10.0.0.2 >/dev/null || fail "long packets do not pass"
! in_ns h1 ping -q -n -c 1 -W 1 -M do -s 2900 10.0.0.4 >/dev/null || fail "long packets pass a port with MTU 1500"
assert_matches "$(ctl drops)" 'tx_oversize'

step "a port_mod takes the interface down and up"
ofctl mod-port p1 down
wait_until 5 sh -c "ip -o link show $veth | grep -q 'state DOWN'"
ping_none h1 10.0.0.2
ofctl mod-port p1 up
wait_until 5 ping_once h1 10.0.0.2

step "the interface is deleted: the port stays, down; made again it is the same port on another interface"
before=$(index_of p1)
ip link del "$veth"
wait_until 2 state_is p1 down
assert_contains "$(cat "$LOG")" "p1: the interface $veth was deleted"
ping_ok h3 10.0.0.2
host_wire h1 10.0.0.1/24 02:00:00:00:00:01
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2
assert_eq "$(index_of p1)" "$before" "index of the port"
assert_contains "$(cat "$LOG")" "p1: the interface $veth is there again"
assert_lacks "$(cat "$LOG")" "p1: removed"
assert_contains "$(ctl reload)" "nothing differs"

step "renamed it works on; moved to another namespace and back"
ip link set "$veth" down
ip link set "$veth" name "${TEST_ID}r"
on_exit link "${TEST_ID}r"
ip link set "${TEST_ID}r" up
wait_until 5 ping_once h1 10.0.0.2
ip link set "${TEST_ID}r" down
ip link set "${TEST_ID}r" name "$veth"
ip link set "$veth" netns "$(ns_name h3)"
wait_until 2 state_is p1 down
in_ns h3 ip link set "$veth" netns 1
ip link set "$veth" up
wait_until 5 ping_once h1 10.0.0.2

step "under traffic, again and again"
in_ns h2 ping -q -f -w 10 10.0.0.3 >/dev/null 2>&1 &
flood=$!
for _ in $(seq 10); do
    ip link del "$(host_if h3)"
    host_wire h3 10.0.0.3/24 02:00:00:00:00:03
done
wait_until 5 ping_once h3 10.0.0.2
kill "$flood" 2>/dev/null || true
wait "$flood" 2>/dev/null || true
stop_sluice

step "a large packet that the kernel cannot describe stops nothing for long"
# A TAP whose other end is this program: it says by its header what the packet is.
ip tuntap add "${TEST_ID}u" mode tap vnet_hdr
on_exit link "${TEST_ID}u"
ip link set "${TEST_ID}u" up
sluice_config '"fail_mode": "secure"' "{ \"name\": \"u\", \"ofport\": 1, \"type\": \"system\", \"ifname\": \"${TEST_ID}u\" }" "$(system_json p2 2 h2)"
start_sluice
ofctl add-flow in_port=1,actions=2
cat >"$TEST_DIR/tap.py" <<'PY'
import fcntl, os, struct, sys, time
tap = os.open("/dev/net/tun", os.O_RDWR)
fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x2 | 0x1000 | 0x4000))  # IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
print("ready", flush=True)
def packet(payload, header):
    udp = struct.pack("!HHHH", 1, 2, 8 + payload, 0)
    ip = struct.pack("!BBHHHBBHII", 0x45, 0, 28 + payload, 0, 0, 64, 17, 0, 0x0a000001, 0x0a000002)
    os.write(tap, header + bytes.fromhex("020000000002020000000001") + b"\x08\0" + ip + udp + bytes(payload))
small = bytes(10)
ufo = struct.pack("=BBHHHH", 1, 3, 42, 1400, 34, 6)  # VIRTIO_NET_HDR_GSO_UDP
for n in range(400):
    packet(4000, ufo) if n == 20 else packet(18, small)
    time.sleep(0.05)
PY
arrived() { in_ns h2 cat /sys/class/net/eth0/statistics/rx_packets; }
more_arrived() { [ "$(arrived)" -gt "$1" ]; }
wait_until 5 state_is p2 up
before=$(arrived)
background tap "$PYTHON" "$TEST_DIR/tap.py" "${TEST_ID}u"
wait_until 5 more_arrived $((before + 10))
sleep 3
wait_until 5 more_arrived $((before + 40))
stop_sluice
end_pid "$PID"

step "without root, with two capabilities"
mkdir "$TEST_DIR/own"
chown nobody "$TEST_DIR/own"
HUGEPAGES=false RUN_DIR=$TEST_DIR/own/run sluice_config '"fail_mode": "standalone"' "$(system_json p1 1 h1)" "$(system_json p2 2 h2)"
background unprivileged setpriv --reuid nobody --regid nogroup --clear-groups --inh-caps=+net_raw,+net_admin \
    --ambient-caps=+net_raw,+net_admin "$SLUICED" "$TEST_DIR/sluice.json"
wait_until 10 test -S "$TEST_DIR/own/run/sluiced.ctl"
assert_eq "$(ps -o user= -p "$PID")" nobody "user"
wait_until 5 ping_once h1 10.0.0.2
end_pid "$PID"

step "two switches of one namespace, each with several queues"
queues_json() { printf '{ "name": "%s", "ofport": %d, "type": "system", "ifname": "%s", "rx_queues": 4 }' "$1" "$2" "$(host_if "$3")"; }
host_wire h1 10.0.0.1/24 02:00:00:00:00:01 2>/dev/null || true
TEST_MEMORY=128
sluice_config '"fail_mode": "standalone"' "$(queues_json p1 1 h1)" "$(queues_json p2 2 h2)"
start_sluice
first=$RUN_DIR
second=$TEST_DIR/second
sed -e "s#$RUN_DIR#$second#; s#$TEST_ID\"#${TEST_ID}b\"#" -e "s#$(host_if h1)#$(host_if h3)#; s#$(host_if h2)#$(host_if h4)#" \
    "$TEST_DIR/sluice.json" >"$TEST_DIR/second.json"
background second "$SLUICED" "$TEST_DIR/second.json"
wait_until 10 test -S "$second/sluiced.ctl"
wait_until 5 ping_once h1 10.0.0.2
wait_until 5 ping_once h3 10.0.0.4
# 64 flows each, so that the kernel spreads them over all queues
for pair in "h1 h2 10.0.0.2" "h3 h4 10.0.0.4"; do
    read -r from to address <<<"$pair"
    background "echo-$to" ip netns exec "$(ns_name "$to")" "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("", 7))
while True:
    data, peer = s.recvfrom(100)
    s.sendto(data, peer)'
    sleep 0.3
    in_ns "$from" "$PYTHON" -c '
import socket, sys
for flow in range(64):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(2)
    s.sendto(b"x", (sys.argv[1], 7))
    assert s.recv(10) == b"x"' "$address" || fail "$from: a flow on some queue is not answered"
done
RUN_DIR=$first
stop_sluice
