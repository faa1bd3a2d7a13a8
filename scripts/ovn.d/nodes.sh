# A small OVN deployment on one machine: nodes, each with its own network namespace, files below /run and /var, and daemons.
#
# Sourced by scripts/ovn-demo, scripts/ovn-scale and tests/system. Who sources it sets
#   OVN_ID       prefix of the names of namespaces, so that two deployments do not meet
#   OVN_WORK     an empty directory; logs are in OVN_WORK/NODE/
#   OVN_SWITCH   the daemon that is started under the name ovs-vswitchd
# may set
#   OVN_SHOW     a command that runs what it is given, and shows it: for what is worth to be seen
#   OVN_ENCAP    geneve (without it) or vxlan
#   OVN_MADE     the file with what there is to clean up, in the form of the system tests
# and calls ovn_clean_up at its end, also on failure. Everything else of OVN and Open vSwitch is what Debian's packages have.
# shellcheck shell=bash

declare -A OVN_NODE_PID=()
OVN_MADE=${OVN_MADE:-$OVN_WORK/made}
OVN_DB=unix:/run/openvswitch/db.sock # as each host sees its own

ovn_ns() { echo "$OVN_ID-$1"; }
# on NODE COMMAND...: on that node
on() {
    local pid=${OVN_NODE_PID[$1]} work=$OVN_WORK/$1
    shift
    nsenter -t "$pid" -m -n -- env PATH="$work/bin:$PATH" "$@"
}
# inside VM COMMAND...: in the namespace of a virtual machine, or of something else without daemons
inside() {
    local name
    name=$(ovn_ns "$1")
    shift
    ip netns exec "$name" "$@"
}

# ovn_namespace NAME: empty, without IPv6 addresses of the kernel's own making
ovn_namespace() {
    local name
    name=$(ovn_ns "$1")
    ip netns add "$name"
    echo "netns $name" >>"$OVN_MADE"
    ip netns exec "$name" sh -c 'for f in all default; do echo 1 >/proc/sys/net/ipv6/conf/$f/disable_ipv6; done'
    ip -n "$name" link set lo up
}

# ovn_node NODE: a namespace for its network and one for its files
ovn_node() {
    local work=$OVN_WORK/$1 end=$((SECONDS + 10))
    mkdir -p "$work/bin" "$work/log"
    ovn_namespace "$1"
    cat >"$work/holder" <<'HOLDER'
set -e
mount --make-rslave /
# A switch that starts again looks for its ports in the namespaces of the virtual machines.
mkdir -p "$1/netns"
mount --rbind /run/netns "$1/netns"
for directory in /run /etc/openvswitch /etc/ovn /var/lib/openvswitch /var/lib/ovn; do
    [ ! -d "$directory" ] || mount -t tmpfs none "$directory"
done
for directory in /var/log/openvswitch /var/log/ovn; do mount --bind "$1/log" "$directory"; done
mkdir -p /run/openvswitch /run/ovn /run/lock /run/netns
mount --rbind "$1/netns" /run/netns
touch "$1/made"
exec sleep infinity
HOLDER
    setsid ip netns exec "$(ovn_ns "$1")" unshare -m --propagation unchanged bash "$work/holder" "$work" >"$work/holder.log" 2>&1 </dev/null &
    OVN_NODE_PID[$1]=$!
    echo "pid $!" >>"$OVN_MADE"
    until [ -e "$work/made" ]; do
        kill -0 "${OVN_NODE_PID[$1]}" 2>/dev/null || { cat "$work/holder.log" >&2; return 1; }
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.05
    done
    ln -sf "$OVN_SWITCH" "$work/bin/ovs-vswitchd"
}

# ovn_note NODE PIDFILE: the daemon of that pidfile ends with the deployment
ovn_note() { echo "pid $(ovn_pid "$1" "$2")" >>"$OVN_MADE"; }
# ovn_kill NODE PIDFILE: without a chance to end in order; returns when the daemon is gone
ovn_kill() {
    local pid
    pid=$(ovn_pid "$1" "$2")
    kill -KILL "$pid"
    while ovn_runs "$pid"; do sleep 0.01; done
}
# ovn_exit NODE: the switch ends in order, and forgets its rules; returns when it is gone
ovn_exit() {
    local pid
    pid=$(ovn_pid "$1" openvswitch/ovs-vswitchd)
    on "$1" ovs-appctl exit
    while ovn_runs "$pid"; do sleep 0.01; done
}
# With all its threads. What init has not collected yet is dead.
ovn_runs() {
    local tasks=(/proc/"$1"/task/*)
    [ ${#tasks[@]} -gt 1 ] || { [ -e "${tasks[0]}" ] && ! grep -qs '^State:.*Z' "/proc/$1/status"; }
}
ovn_pid() { on "$1" cat "/run/$2.pid"; }

# ovn_central NODE: both databases and northd, as Debian's ovn-central starts them, for hosts that connect to port 6642
ovn_central() {
    on "$1" /usr/share/ovn/scripts/ovn-ctl start_northd >"$OVN_WORK/$1/ovn-ctl.log" 2>&1 || { cat "$OVN_WORK/$1/ovn-ctl.log" >&2; return 1; }
    for daemon in ovnnb_db ovnsb_db ovn-northd; do ovn_note "$1" "ovn/$daemon"; done
    on "$1" ovn-sbctl set-connection ptcp:6642:0.0.0.0
    on "$1" ovn-sbctl set connection . inactivity_probe=60000
}

# ovn_database NODE: a new Open_vSwitch database and its server
ovn_database() {
    on "$1" ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    ovn_database_server "$1"
    on "$1" ovs-vsctl --no-wait init
    # A thread that sleeps while there is nothing to do: two switches may share a core.
    on "$1" ovs-vsctl --no-wait set Open_vSwitch . "other_config:pmd-cpu-mask=$(printf %x $((1 << ${PMD_CORE:-$(($(nproc) - 1))})))" \
        other_config:pmd-maxsleep=500
}
ovn_database_server() {
    on "$1" ovsdb-server /etc/openvswitch/conf.db --remote=punix:/run/openvswitch/db.sock --pidfile=/run/openvswitch/ovsdb-server.pid \
        --detach --no-chdir -vconsole:off -vsyslog:off --log-file=/var/log/openvswitch/ovsdb-server.log
    ovn_note "$1" openvswitch/ovsdb-server
}
ovn_switch() {
    on "$1" ovs-vswitchd "$OVN_DB" -vconsole:emer -vsyslog:off --no-chdir --pidfile=/run/openvswitch/ovs-vswitchd.pid --detach \
        --log-file=/var/log/openvswitch/ovs-vswitchd.log
    ovn_note "$1" openvswitch/ovs-vswitchd
}
# ovn_controller NODE: as Debian's ovn-host starts it
ovn_controller() {
    on "$1" /usr/share/ovn/scripts/ovn-ctl start_controller >>"$OVN_WORK/$1/ovn-ctl.log" 2>&1 || { cat "$OVN_WORK/$1/ovn-ctl.log" >&2; return 1; }
    ovn_note "$1" ovn/ovn-controller
}

# ovn_underlay: the wire between nodes, a bridge of the kernel's in a namespace of its own; ovn_wire NODE INTERFACE: a port of it
ovn_underlay() {
    ovn_namespace net
    ip -n "$(ovn_ns net)" link add wire type bridge
    ip -n "$(ovn_ns net)" link set wire up
}
ovn_wire() {
    ip -n "$(ovn_ns net)" link add "to-$1" type veth peer name "$2" netns "$(ovn_ns "$1")"
    ip -n "$(ovn_ns net)" link set "to-$1" master wire up
    ip -n "$(ovn_ns "$1")" link set "$2" up
}

# ovn_wired_central: the node "central" on a wire of its own making
ovn_wired_central() {
    ovn_underlay
    ovn_node central
    ovn_wire central eth0
    ip -n "$(ovn_ns central)" addr add 192.168.50.1/24 dev eth0
    ovn_central central
}
# ovn_host HOST N: a host on that wire, with its switch; 192.168.50.N is the address of its tunnels. ovn_controller does the rest.
ovn_host() {
    ovn_node "$1"
    ovn_wire "$1" phys
    # The kernel sees what comes in there, too: it is not to answer for the address of br-phy by the card's MAC address.
    on "$1" sh -c 'echo 1 >/proc/sys/net/ipv4/conf/phys/arp_ignore'
    ovn_database "$1"
    ovn_switch "$1"
    # The host's own address is on the bridge that has its network card, and packets of tunnels leave by that bridge.
    ${OVN_SHOW:-} on "$1" ovs-vsctl --timeout=20 add-br br-phy -- set Bridge br-phy datapath_type=netdev "other_config:hwaddr=02:00:00:00:50:$2" -- add-port br-phy phys
    ip -n "$(ovn_ns "$1")" addr add "192.168.50.$2/24" dev br-phy
    ip -n "$(ovn_ns "$1")" link set br-phy up
    ${OVN_SHOW:-} on "$1" ovs-vsctl set Open_vSwitch . "external_ids:system-id=$1" external_ids:ovn-remote=tcp:192.168.50.1:6642 \
        "external_ids:ovn-encap-type=${OVN_ENCAP:-geneve}" "external_ids:ovn-encap-ip=192.168.50.$2" external_ids:ovn-bridge-datapath-type=netdev
}

# ovn_vm HOST VM LOGICAL_PORT MAC [ADDRESS/N GATEWAY]: a namespace whose eth0 is an internal port of the host's br-int; without an
# address it asks by DHCP, see ovn_dhcp
ovn_vm() {
    local ns
    ns=$(ovn_ns "$2")
    [ -e "/run/netns/$ns" ] || ovn_namespace "$2"
    on "$1" ovs-vsctl --timeout=20 add-port br-int "$2" -- set Interface "$2" type=internal "external_ids:iface-id=$3"
    ip -n "$(ovn_ns "$1")" link set dev "$2" netns "$ns" name eth0 address "$4"
    ip -n "$ns" link set eth0 mtu 1400 up
    [ -n "${5:-}" ] || return 0
    ip -n "$ns" addr add "$5" dev eth0
    [ -z "${6:-}" ] || ip -n "$ns" route add default via "$6"
}

# ovn_clean_up: ends what was started and deletes what was made, last first
ovn_clean_up() {
    local kind what
    [ -e "$OVN_MADE" ] || return 0
    while read -r kind what; do
        case $kind in
            pid) ovn_end "$what" ;;
            netns) [ ! -e "/run/netns/$what" ] || ip netns delete "$what" ;;
        esac
    done < <(tac "$OVN_MADE")
    rm -f "$OVN_MADE"
}
ovn_end() {
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 125); do ovn_runs "$1" || return 0; sleep 0.02; done
    kill -KILL "$1" 2>/dev/null || true
}
