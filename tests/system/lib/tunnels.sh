# Two hosts a and b, joined by a wire, with tunnels between them. Each has a bridge br-phy with the wire and the addresses outside,
# 192.0.2.N and 2001:db8::N (a: 1, b: 2), and a bridge br-int with an inner host va, vb: 10.0.0.N and fd00::N. Sourced after harness.sh.
# shellcheck shell=bash

OVN_ID=$TEST_ID
OVN_WORK=$TEST_DIR/nodes
OVN_MADE=$TEST_DIR/on_exit
OVS_VSWITCHD=/usr/lib/openvswitch-switch/ovs-vswitchd # Debian's
mkdir -p "$OVN_WORK"
. "$TOP/scripts/ovn.d/nodes.sh"

declare -A NUMBER=([a]=1 [b]=2)

vsctl() { on "$1" ovs-vsctl --timeout=10 "${@:2}"; }
ofctl_on() { on "$1" ovs-ofctl "${@:2}"; }
appctl() { on "$1" ovs-appctl "${@:2}"; }
allow_ipv6() { # RUN... INTERFACE: of a namespace that has it switched off
    "${@:1:$#-1}" sh -c 'echo 0 >/proc/sys/net/ipv6/conf/$1/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/$1/accept_dad' - "${!#}"
}

# tunnel_wire: between the nodes a and b, which are there
tunnel_wire() {
    ip -n "$(ovn_ns a)" link add wire type veth peer name wire netns "$(ovn_ns b)"
    local node
    for node in a b; do
        # Open vSwitch's own ports for interfaces of the kernel's cannot have checksums left out.
        on $node ethtool -K wire tx off >/dev/null 2>&1 || true
        ip -n "$(ovn_ns $node)" link set wire up
    done
}

# outside_addresses NODE INTERFACE
outside_addresses() {
    local n=${NUMBER[$1]}
    allow_ipv6 on "$1" "$2"
    on "$1" ip link set "$2" up
    on "$1" ip addr add "192.0.2.$n/24" dev "$2"
    on "$1" ip addr add "2001:db8::$n/64" dev "$2" nodad
}

# inner_addresses NS INTERFACE N
inner_addresses() {
    allow_ipv6 ip netns exec "$1" "$2"
    ip -n "$1" link set "$2" up
    ip -n "$1" addr add "10.0.0.$3/24" dev "$2"
    ip -n "$1" addr add "fd00::$3/64" dev "$2" nodad
}

# tunnel_switch NODE DAEMON [VM_MTU]: a switch with both bridges, and the inner host. Nobody says which address br-int has: that of each node
# has its own.
tunnel_switch() {
    local node=$1 n=${NUMBER[$1]} vm=v$1
    ln -sf "$2" "$OVN_WORK/$node/bin/ovs-vswitchd"
    ovn_database "$node"
    ovn_switch "$node"
    vsctl "$node" add-br br-phy -- set Bridge br-phy datapath_type=netdev "other_config:hwaddr=02:00:00:00:01:0$n" \
        -- add-port br-phy wire -- add-br br-int -- set Bridge br-int datapath_type=netdev
    outside_addresses "$node" br-phy
    ovn_namespace "$vm"
    vsctl "$node" add-port br-int "$vm" -- set Interface "$vm" type=internal ${3:+mtu_request=$3}
    ip -n "$(ovn_ns "$node")" link set dev "$vm" netns "$(ovn_ns "$vm")" name eth0 address "02:00:00:00:00:0$n"
    [ "$2" != "$OVS_VSWITCHD" ] || inside "$vm" ethtool -K eth0 tx off >/dev/null 2>&1 || true
    inner_addresses "$(ovn_ns "$vm")" eth0 "$n"
}

# two_switches DAEMON_OF_A DAEMON_OF_B [VM_MTU]
two_switches() {
    OVN_SWITCH=$1
    ovn_node a
    ovn_node b
    tunnel_wire
    tunnel_switch a "$1" "${3:-}"
    tunnel_switch b "$2" "${3:-}"
}

# switch_and_host DAEMON_OF_A [VM_MTU]: b has no switch, and its addresses outside on the wire
switch_and_host() {
    OVN_SWITCH=$1
    ovn_node a
    ovn_node b
    tunnel_wire
    tunnel_switch a "$1" "${2:-}"
    outside_addresses b wire
}

# tunnel NODE TYPE REMOTE [OPTION=VALUE...]: the port `t` of br-int, number 100, in place of one that there is
tunnel() {
    local node=$1 type=$2 remote=$3 option options=()
    shift 3
    for option in "$@"; do options+=("options:$option"); done
    vsctl "$node" --if-exists del-port t -- add-port br-int t -- set Interface t ofport_request=100 "type=$type" "options:remote_ip=$remote" "${options[@]}"
}

# reaches VM ADDRESS: within a while, and then without a loss
reaches() {
    wait_until 5 inside "$1" ping -q -n -c 1 -W 1 "$2"
    inside "$1" ping -q -n -c 5 -i 0.05 -W 2 "$2" >"$TEST_DIR/ping.out" || fail "ping $1 -> $2: $(cat "$TEST_DIR/ping.out")"
    grep -q ' 0% packet loss' "$TEST_DIR/ping.out" || fail "ping $1 -> $2: $(cat "$TEST_DIR/ping.out")"
}
# silent VM ADDRESS: no answer
silent() { ! inside "$1" ping -q -n -c 2 -i 0.2 -W 1 "$2" >/dev/null || fail "ping $1 -> $2 was answered"; }
# fits VM ADDRESS BYTES: a packet of so many bytes, header and all, is answered
fits() { inside "$1" ping -q -n -c 1 -W 1 -M do -s "$(($3 - 28))" "$2" >/dev/null; }

# tcp FROM TO ADDRESS [MEGABYTES]: what arrives is what was sent
tcp() {
    local log=receive-$1-$2 sent
    background "$log" ip netns exec "$(ovn_ns "$2")" "$PYTHON" "$TEST_LIB/tcp_stream.py" receive "$3"
    wait_until 5 grep -q ready "$TEST_DIR/$log.log"
    sent=$(inside "$1" "$PYTHON" "$TEST_LIB/tcp_stream.py" send "$3" "${4:-1}") || fail "tcp $1 -> $3"
    wait_until 5 grep -q "$sent" "$TEST_DIR/$log.log"
}
