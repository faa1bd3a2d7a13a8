# Debian's OVN on one host, which is its own central, or on several, with Sluice as the switch. Sourced after harness.sh.
# shellcheck shell=bash

command -v ovn-controller >/dev/null || { echo "lacks OVN: scripts/setup-packages ovn"; exit 77; }
! is_ovs || exit 77

OVN_ID=$TEST_ID
OVN_WORK=$TEST_DIR/ovn
OVN_MADE=$TEST_DIR/on_exit
OVN_SWITCH=${BOX_VSWITCHD:-$SLUICED} # another switch under the name of ovs-vswitchd
mkdir -p "$OVN_WORK"
. "$TOP/scripts/ovn.d/nodes.sh"

OVN_CENTRAL=host # ovn_hosts: central
nb() { on "$OVN_CENTRAL" ovn-nbctl --timeout=30 "$@"; }
sb() { on "$OVN_CENTRAL" ovn-sbctl --timeout=30 "$@"; }
# What was asked for is in the switch.
sync() { nb --wait=hv sync; }
controller_log() { echo "$OVN_WORK/host/log/ovn-controller.log"; }
log_has() { grep -qE -- "$1" "$(controller_log)"; }

ovn_one_host() {
    ovn_node host
    ovn_central host
    ovn_database host
    ovn_switch host
    on host ovs-vsctl set Open_vSwitch . external_ids:system-id=host external_ids:ovn-remote=unix:/run/ovn/ovnsb_db.sock \
        external_ids:ovn-encap-type=geneve external_ids:ovn-encap-ip=127.0.0.1 external_ids:ovn-bridge-datapath-type=netdev
    ovn_controller host
    sync
}
# ovn_hosts HOST...: with a central apart, and tunnels between them
ovn_hosts() {
    local host n=10
    OVN_CENTRAL=central
    ovn_wired_central
    for host; do
        n=$((n + 1))
        ovn_host "$host" $n
        ovn_controller "$host"
    done
    sync
}

# ls_with SWITCH N PORT...: a logical switch; its ports are 10.0.N.1, 10.0.N.2 ...
ls_with() {
    local name=$1 n=$2 i=0 port
    shift 2
    nb ls-add "$name"
    for port in "$@"; do
        i=$((i + 1))
        nb lsp-add "$name" "$port" -- lsp-set-addresses "$port" "02:00:00:00:0$n:0$i 10.0.$n.$i"
    done
}
# router_port ROUTER SWITCH N
router_port() {
    nb lrp-add "$1" "$1-$2" "02:00:00:00:0$3:fe" "10.0.$3.254/24" -- lsp-add "$2" "$2-$1" -- lsp-set-type "$2-$1" router \
        -- lsp-set-addresses "$2-$1" router -- lsp-set-options "$2-$1" "router-port=$1-$2"
}

# reaches VM ADDRESS: within a while, and then without a loss. Once it has had an answer, ping waits for the last ones no longer than two
# round trips, or one interval: on a busy machine they may come later, which is no loss if the next ones come.
reaches() {
    local gaps
    wait_until 5 inside "$1" ping -q -n -c 1 -W 1 "$2"
    for _ in 1 2 3 4; do
        inside "$1" ping -n -c 5 -i 0.05 -W 2 "$2" >"$TEST_DIR/ping.out" || true
        gaps=$(awk -F 'icmp_seq=' '/bytes from/ {n++; last = $2 + 0} END {print last - n}' "$TEST_DIR/ping.out")
        [ "$gaps" = 0 ] || break
        ! grep -q ' 0% packet loss' "$TEST_DIR/ping.out" || return 0
    done
    fail "ping $1 -> $2: $(cat "$TEST_DIR/ping.out")"
}
# silent VM ADDRESS [OPTION...]: no answer
silent() { ! inside "$1" ping -q -n -c 2 -i 0.2 -W 1 "${@:3}" "$2" >/dev/null || fail "ping $1 -> $2 was answered"; }

web_server() {
    background "web-$1" ip netns exec "$(ovn_ns "$1")" "$PYTHON" "$TOP/scripts/ovn.d/whoami.py" "$1" "$2"
    echo "$PID" >"$TEST_DIR/web-$1.pid"
}
get() { inside "$1" curl -sS --max-time 3 "http://$2/"; }
# names VM ADDRESS N: who answered to N questions
names() { for _ in $(seq "$3"); do get "$1" "$2" || true; done | cut -d' ' -f1; }
service_is() { [ "$(sb --bare --columns=status find Service_Monitor "ip=$2")" = "$1" ]; }

# in_ns_capture VM FILTER: into TEST_DIR/tcpdump-VM.log
in_ns_capture() {
    background "tcpdump-$1" ip netns exec "$(ovn_ns "$1")" tcpdump -l -nn -v -Q in -i eth0 "$2"
    wait_until 5 grep -q 'listening on' "$TEST_DIR/tcpdump-$1.log"
}

# vlan_interface VM TAG MAC ADDRESS/N: for kernels without VLANs, see vlan_host.py
vlan_interface() {
    background "vlan-$1" ip netns exec "$(ovn_ns "$1")" "$PYTHON" "$TEST_LIB/vlan_host.py" eth0 "$2"
    wait_until 5 grep -q ready "$TEST_DIR/vlan-$1.log"
    ip -n "$(ovn_ns "$1")" link set dev "eth0.$2" address "$3" mtu 1300
    ip -n "$(ovn_ns "$1")" addr add "$4" dev "eth0.$2"
}

# no_complaints HOST...: of the switch, and of ovn-controller about it. Not of a database that is away, of hugepages that EAL looked for, or of
# a machine that has other things to do.
no_complaints() {
    local host
    for host; do
        ! grep -E '\|(WARN|ERR|EMER)\|' "$OVN_WORK/$host/log/ovs-vswitchd.log" | grep -vE 'EAL: No |\|ovsdb\|WARN|has not come round|goes on, after' || fail "the switch of $host, see above"
        ! grep -s 'OpenFlow error' "$OVN_WORK/$host/log/ovn-controller.log" || fail "the controller of $host got errors"
    done
}
