#!/bin/bash
# os-ken's own applications, unmodified: rest_firewall, rest_router, rest_qos, every route of ofctl_rest, learning switches, spanning tree.
# timeout: 1800
# by name only: Debian's python3-os-ken comes without them.
# OSKEN_APPS=DIR: where they are, DIR/os_ken/app/*.py.  OSKEN_RUN="router routes": only those parts.  OSKEN_VERSIONS="10 13": only those.
. "$(dirname "$0")/lib/harness.sh"

ofp_port=$((20000 + $$ % 20000))
web_port=$((ofp_port + 1))
versions=${OSKEN_VERSIONS:-10 13 14 15}

if ! why=$("$PYTHON" "$TEST_LIB/osken_rest.py" --has os_ken.app.{wsgi,ofctl_rest,rest_firewall,rest_router}); then
    cat >&2 <<TEXT
$why
os-ken's sample applications are not here: current releases come without them. They are in the early history of github.com/openstack/os-ken
(os_ken/app/). Copy wsgi.py, ofctl_rest.py, rest_*.py, conf_switch_key.py and simple_switch*.py to DIR/os_ken/app/ and set OSKEN_APPS=DIR. They need
Debian's python3-routes, python3-six, python3-tinyrpc and python3-webob, and a version of the time after RyuApp had become OSKenApp.
TEXT
    exit 77
fi
has() { "$PYTHON" "$TEST_LIB/osken_rest.py" --has "os_ken.app.$1" || { step "without $1"; return 1; }; }

# --- the bed: three bridges in a line, h1 and h4 at the first, h2, h3; a third link makes it a ring -------------------

link() { # NUMBERS: a veth pair between two bridges, ends ${TEST_ID}aNUMBERS and ${TEST_ID}bNUMBERS
    ip link add "${TEST_ID}a$1" type veth peer name "${TEST_ID}b$1"
    on_exit link "${TEST_ID}a$1"
    for end in a b; do
        echo 1 >"/proc/sys/net/ipv6/conf/$TEST_ID$end$1/disable_ipv6"
        ethtool -K "$TEST_ID$end$1" tx off rx off gro off gso off tso off >/dev/null 2>&1 || true
        ip link set "$TEST_ID$end$1" up
    done
}
link_port() { printf '{ "name": "%s", "ofport": %d, "type": "dpdk", "devargs": "net_af_packet_%s,iface=%s" }' "$1" "$2" "$1" "$TEST_ID$1"; }
bridge() { # NUMBER PORT...
    local number=$1 ports='' p
    shift
    for p in "$@"; do [ -z "$p" ] || ports+="${ports:+, }$p"; done
    printf '{ "name": "br%d", "datapath_id": "%016x", "fail_mode": "secure", "controllers": [{"target": "tcp:127.0.0.1:%d", "max_backoff": 1000}], "ports": [%s] }' \
        "$number" "$((number + 1))" "$ofp_port" "$ports"
}
for n in 1 2 3 4; do host_make h$n "" 02:00:00:00:00:0$n; done
link 12
link 23
link 31
ip link set "${TEST_ID}a31" down
# Some libraries take the address of their own from the LOCAL port.
local="{ \"name\": \"br0\", \"ofport\": \"LOCAL\", \"type\": \"tap\", \"ifname\": \"${TEST_ID}l\", \"mac\": \"02:00:00:00:00:0f\" }"
! is_ovs || local='' # has one anyway
cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES },
  "pmd": { "cores": [$PMD_CORE] },
  "control": { "core": 0 },
  "bridges": [
    $(bridge 0 "$(port_json p1 1 h1)" "$(link_port a12 2)" "$(link_port b31 3)" "$(port_json p4 4 h4)" "$local"),
    $(bridge 1 "$(port_json p2 1 h2)" "$(link_port b12 2)" "$(link_port a23 3)"),
    $(bridge 2 "$(port_json p3 1 h3)" "$(link_port b23 2)" "$(link_port a31 3)")
  ]
}
JSON
start_sluice
is_ovs || echo 1 >"/proc/sys/net/ipv6/conf/${TEST_ID}l/disable_ipv6"

# address HOST A.B.C.D/N [GATEWAY [VLAN]]: that is all it has, untagged or tagged
vlans_of=
address() {
    local host=$1 address=$2 gateway=${3:-} vlan=${4:-} device=eth0
    if [ -n "$vlan" ]; then
        device=eth0.$vlan
        if ! in_ns "$host" test -e "/sys/class/net/$device"; then
            background "vlan-$host-$vlan" ip netns exec "$(ns_name "$host")" "$PYTHON" "$TEST_LIB/vlan_host.py" eth0 "$vlan"
            vlans_of+=" $PID"
            wait_until 5 grep -q ready "$TEST_DIR/vlan-$host-$vlan.log"
        fi
    fi
    in_ns "$host" ip addr flush dev "$device"
    in_ns "$host" ip addr add "$address" dev "$device"
    [ -z "$gateway" ] || in_ns "$host" ip route replace default via "$gateway"
}
no_addresses() {
    for pid in $vlans_of; do end_pid "$pid"; done
    vlans_of=
    for h in h1 h2 h3 h4; do
        in_ns $h ip addr flush dev eth0
        in_ns $h ip neigh flush all
    done
}

# --- the manager and its web server -----------------------------------------------------------------------------------

connections() { ss -Htn state established "( sport = :$ofp_port )" | wc -l; }
all_connected() { [ "$(connections)" = 3 ]; }
none_connected() { [ "$(connections)" = 0 ]; }
# manager VERSION APPLICATION...: starts it with empty tables, all three bridges connected
manager() {
    local version=$1 b
    shift
    for b in 0 1 2; do
        ovs-ofctl del-flows "unix:$RUN_DIR/br$b.mgmt"
        ovs-ofctl -O OpenFlow13 del-groups "unix:$RUN_DIR/br$b.mgmt"
        ovs-ofctl -O OpenFlow13 del-meters "unix:$RUN_DIR/br$b.mgmt"
    done
    background osken env PYTHONUNBUFFERED=1 OSKEN_VERSION="$version" "$PYTHON" "$TEST_LIB/osken_rest.py" --ofp-listen-host 127.0.0.1 \
        --ofp-tcp-listen-port "$ofp_port" --wsapi-host 127.0.0.1 --wsapi-port "$web_port" "$TEST_LIB/osken_version.py" "$@"
    MANAGER=$PID
    wait_until 60 all_connected
}
no_traceback() { ! grep -q Traceback "$TEST_DIR/osken.log" || fail "$(grep -A30 Traceback "$TEST_DIR/osken.log")"; }
end_manager() {
    no_traceback
    end_pid "$MANAGER"
    wait_until 10 none_connected
}
logged() { [ "$(grep -cE -- "$1" "$TEST_DIR/osken.log")" -ge "${2:-1}" ]; }

# rest METHOD PATH [BODY]: leaves STATUS and REPLY
rest() {
    local body=${3:-}
    exec 3<>"/dev/tcp/127.0.0.1/$web_port"
    printf '%s %s HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' "$1" "$2" "${#body}" "$body" >&3
    REPLY=$(timeout 300 cat <&3 | tr -d '\0\r')
    exec 3<&- 3>&-
    STATUS=$(head -1 <<<"$REPLY" | cut -d' ' -f2)
    REPLY=${REPLY#*$'\n\n'}
}
# ok METHOD PATH [BODY [PART...]]: status 200, and the answer has the parts
ok() {
    rest "$1" "$2" "${3:-}"
    [ "$STATUS" = 200 ] || fail "$1 $2 ${3:-}: status $STATUS $REPLY"
    [ $# -le 3 ] || assert_contains "$REPLY" "${@:4}"
}
# refused STATUS METHOD PATH [BODY]
refused() {
    rest "${@:2}"
    assert_eq "$STATUS" "$1" "status of ${*:2}"
}
# for wait_until
web_has() { rest GET "$1" && [[ $STATUS == 200 && $REPLY == *"$2"* ]]; }
ping_fails() { ! ping_once "$@"; }

for part in ${OSKEN_RUN:-firewall router qos routes switches others tree}; do
    # shellcheck disable=SC1090
    . "$TEST_LIB/../osken_rest.d/${part}_test.sh"
done
stop_sluice
