#!/bin/bash
# ovs-vsctl as it is: bridges, ports, controllers and TLS from Open vSwitch's database, and what it is told of them.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
. "$TEST_LIB/certs.sh"

DB=unix:$RUN_DIR/db.sock
export OVS_RUNDIR=$RUN_DIR

start_server() {
    background "ovsdb" ovsdb-server "$TEST_DIR/conf.db" --remote="punix:$RUN_DIR/db.sock" --unixctl="$RUN_DIR/ovsdb.ctl" -vconsole:off \
        -vsyslog:off --no-chdir
    OVSDB_PID=$PID
    wait_until 5 test -S "$RUN_DIR/db.sock"
}
vsctl() { ovs-vsctl --db="$DB" --timeout=20 "$@"; }
get() { vsctl get "$@" | tr -d '"'; }
is() { # WANTED TABLE RECORD COLUMN
    [ "$(get "${@:2}")" = "$1" ]
}
becomes() { # SECONDS WANTED TABLE RECORD COLUMN
    wait_until "$1" is "${@:2}" || fail "${*:3} is $(get "${@:3}"), not $2"
}
connected() { [ "$(vsctl --bare --columns=is_connected find Controller "target=\"$1\"")" = true ]; }
# What is asked for runs when ovs-vsctl returns.
applied() { is "$(get Open_vSwitch . next_cfg)" Open_vSwitch . cur_cfg; }
ms() { date +%s%3N; }
not() { ! "$@"; }
mgmt() { ovs-ofctl -t 10 "${@:2}" "unix:$RUN_DIR/$1.mgmt"; }

mkdir -p "$RUN_DIR"
# As of Open vSwitch 3.3: zones may have a limit.
"$PYTHON" - /usr/share/openvswitch/vswitch.ovsschema >"$TEST_DIR/schema" <<'PYTHON'
import json, sys
schema = json.load(open(sys.argv[1]))
limit = {"type": {"key": {"type": "integer", "minInteger": 0, "maxInteger": 4294967295}, "min": 0, "max": 1}}
schema["tables"]["CT_Zone"]["columns"].setdefault("limit", limit)
schema["tables"]["Datapath"]["columns"].setdefault("ct_zone_default_limit", limit)
schema.pop("cksum", None)
json.dump(schema, sys.stdout)
PYTHON
ovsdb-tool create "$TEST_DIR/conf.db" "$TEST_DIR/schema"
start_server
vsctl --no-wait init
cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES },
  "pmd": { "cores": [$PMD_CORE], "max_sleep_us": 1000 },
  "control": { "core": 0 },
  "ovsdb": { "remote": "$DB" },
  "bridges": []
}
JSON
start_sluice
br=${TEST_ID}b int=${TEST_ID}i
on_exit link "$br"
on_exit link "$int"

step "a bridge"
at=$(ms)
vsctl add-br "$br"
took=$(($(ms) - at))
[ "$took" -lt $((10 * $(slower))) ] || fail "add-br took $took ms"
applied || fail "cur_cfg"
ip link show "$br" >/dev/null
mgmt "$br" show | grep -q "LOCAL($br)" || fail "no LOCAL port"
assert_eq "$(get Interface "$br" ofport)" 65534 "ofport of LOCAL"
assert_eq "$(get Bridge "$br" datapath_id)" "$(mgmt "$br" show | sed -n 's/.*dpid:\(.*\)/\1/p')" "datapath_id"
assert_eq "$(get Open_vSwitch . dpdk_initialized)" true dpdk_initialized
get Open_vSwitch . iface_types | grep -q 'dpdkvhostuserclient' || fail "iface_types"

step "ports on interfaces of the kernel's"
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
p1=$(host_if h1) p2=$(host_if h2)
vsctl add-port "$br" "$p1"
vsctl add-port "$br" "$p2"
assert_eq "$(get Interface "$p1" ofport) $(get Interface "$p2" ofport)" "1 2" "numbers"
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2

step "an interface that is not there yet"
late=${TEST_ID}n
on_exit link "$late"
said=$(vsctl add-port "$br" "$late" 2>&1)
[[ $said == *"could not open network device $late (No such device)"* ]] || fail "ovs-vsctl says: $said"
assert_eq "$(get Interface "$late" ofport)" -1 "number of no port"
get Interface "$late" error | grep -q "No such device" || fail "no error"
ip link add "$late" type veth peer name "${TEST_ID}q"
becomes 2 3 Interface "$late" ofport
assert_eq "$(get Interface "$late" error)" "[]" "error of a port that is there"
vsctl del-port "$late"

step "an internal port, and a number that is asked for"
vsctl add-port "$br" "$int" -- set Interface "$int" type=internal ofport_request=9
assert_eq "$(get Interface "$int" ofport)" 9 "number"
vsctl set Interface "$int" ofport_request=11
assert_eq "$(get Interface "$int" ofport)" 11 "another number"
ns_make h3
ip link set "$int" netns "$(ns_name h3)"
in_ns h3 ip addr add 10.0.0.3/24 dev "$int"
in_ns h3 ip link set "$int" up
wait_until 5 ping_once h3 10.0.0.1
becomes 3 up Interface "$int" link_state

step "VLANs, without a wait for the next change"
vsctl set Port "$p1" tag=10
! ping_once h1 10.0.0.2 || fail "VLAN 10 reaches VLAN 0"
vsctl --no-wait set Port "$p2" tag=10
wait_until 3 ping_once h1 10.0.0.2
vsctl --no-wait set Port "$p2" vlan_mode=trunk trunks=10,20
wait_until 3 not ping_once h1 10.0.0.2
vsctl clear Port "$p1" tag -- clear Port "$p2" tag vlan_mode trunks
wait_until 3 ping_once h1 10.0.0.2

step "BFD"
vsctl set Interface "$p1" bfd:enable=true bfd:min_rx=200
becomes 3 down Interface "$p1" bfd_status:state
assert_eq "$(get Interface "$p1" bfd_status:forwarding) $(get Interface "$p1" bfd_status:flap_count)" "false 0" "bfd_status"
assert_eq "$(get Interface "$p1" bfd_status:diagnostic)" "No Diagnostic" "bfd_status:diagnostic"
assert_contains "$(ovs-appctl -t "$RUN_DIR/sluiced.ctl" bfd/show "$p1")" "Local Minimum RX Interval: 200ms"
ovs-appctl -t "$RUN_DIR/sluiced.ctl" bfd/set-forwarding "$p1" true >/dev/null
becomes 3 true Interface "$p1" bfd_status:forwarding
vsctl set Interface "$p1" bfd:enable=false
becomes 3 "{}" Interface "$p1" bfd_status

flow() { ovs-ofctl -t 10 add-flow "unix:$RUN_DIR/$br.mgmt" "$1"; }
rules() { ovs-ofctl -t 10 --no-stats dump-flows "unix:$RUN_DIR/$br.mgmt" | grep actions= | sed 's/^ *//'; }
only_normal() { [ "$(rules)" = "priority=0 actions=NORMAL" ]; }
step "controllers, and rules, which go when the first one comes and when the last one goes"
flow "priority=7,ip,actions=drop"
of13() { ovs-ofctl -O OpenFlow13 -t 10 "$1" "unix:$RUN_DIR/$br.mgmt" "${@:2}"; }
of13 add-group group_id=1,type=all,bucket=output:1
of13 add-group group_id=2,type=all,bucket=group:1
of13 add-meter meter=1,pktps,band=type=drop,rate=100
flow "priority=6,ip,actions=group:2"
background controller ovs-testcontroller -O OpenFlow13 ptcp:16653:127.0.0.1
vsctl set-controller "$br" tcp:127.0.0.1:16653 ptcp:16654:127.0.0.1
wait_until 8 connected tcp:127.0.0.1:16653
assert_lacks "$(rules)" priority=7 priority=6
assert_lacks "$(of13 dump-groups) $(of13 dump-meters)" group_id= meter=1
ovs-ofctl -t 5 add-flow tcp:127.0.0.1:16654 priority=8,ipv6,idle_timeout=600,actions=drop
ovs-ofctl -t 5 show tcp:127.0.0.1:16654 >/dev/null || fail "nobody listens at 16654"
wait_until 5 ping_once h1 10.0.0.2
tos() { ss -tnH --tos dst 127.0.0.1:16653; }
assert_contains "$(tos)" tos:0xc0
vsctl --no-wait -- set Controller "$(vsctl --bare --columns=_uuid find Controller 'target="tcp:127.0.0.1:16653"')" max_backoff=2000 other_config:dscp=10
wait_until 3 eval '[[ "$(tos)" = *tos:0x28* ]]'
assert_contains "$(rules)" priority=8
vsctl del-controller "$br"
wait_until 3 only_normal || fail "rules that are left: $(rules)"
! ovs-ofctl -t 2 show tcp:127.0.0.1:16654 >/dev/null 2>&1 || fail "it listens still"

step "versions of OpenFlow"
vsctl set Bridge "$br" protocols=OpenFlow13
! ovs-ofctl -O OpenFlow10 -t 5 show "unix:$RUN_DIR/$br.mgmt" >/dev/null 2>&1 || fail "OpenFlow 1.0 is spoken"
ovs-ofctl -O OpenFlow13 -t 5 show "unix:$RUN_DIR/$br.mgmt" >/dev/null || fail "OpenFlow 1.3 is not spoken"
vsctl clear Bridge "$br" protocols

step "fail mode"
assert_contains "$(ctl bridges)" "acting as a learning switch"
vsctl set-fail-mode "$br" secure
wait_until 3 eval '[ -z "$(rules)" ]'
wait_until 3 not ping_once h1 10.0.0.2
flow "priority=9,actions=drop"
vsctl del-fail-mode "$br"
wait_until 5 ping_once h1 10.0.0.2
only_normal || fail "rules that are left: $(rules)"
mgmt "$br" del-flows
assert_lacks "$(ctl bridges)" "acting as a learning switch"
flow "priority=0,actions=NORMAL"

step "TLS"
certs_make
certs_issue switch other-ca
certs_issue controller ca
vsctl set-ssl "$CERTS/switch.key" "$CERTS/switch.pem" "$CERTS/ca.pem"
background tls ovs-testcontroller -O OpenFlow13 $(tls_options controller) --peer-ca-cert="$CERTS/ca.pem" pssl:16655:127.0.0.1
vsctl set-controller "$br" ssl:127.0.0.1:16655 -- set Controller "$br" max_backoff=1000
refused() { vsctl --bare --columns=status find Controller 'target="ssl:127.0.0.1:16655"' | grep -q last_error; }
wait_until 15 refused
! connected ssl:127.0.0.1:16655 || fail "a certificate of another authority is taken"
certs_issue switch ca # the database does not change, the files do
wait_until 15 connected ssl:127.0.0.1:16655
vsctl -- --bootstrap set-ssl "$CERTS/switch.key" "$CERTS/switch.pem" "$TEST_DIR/learned.pem" # again without the authority
ovs-appctl -t "$RUN_DIR/sluiced.ctl" bridge/reconnect "$br"
wait_until 10 test -s "$TEST_DIR/learned.pem"
wait_until 15 connected ssl:127.0.0.1:16655
assert_eq "$(openssl x509 -in "$TEST_DIR/learned.pem" -noout -fingerprint)" "$(openssl x509 -in "$CERTS/ca.pem" -noout -fingerprint)" "the authority"
vsctl del-controller "$br" -- del-ssl
wait_until 3 only_normal || fail "rules that are left: $(rules)"

step "addresses of a bridge"
id=$(get Bridge "$br" datapath_id)
assert_eq "0000$(tr -d : <"/sys/class/net/$br/address")" "$id" "datapath ID, and the MAC address that it has of LOCAL"
vsctl set Bridge "$br" other_config:hwaddr=02:00:00:00:aa:01 other_config:datapath-id=00000000000000aa
becomes 2 00000000000000aa Bridge "$br" datapath_id
mgmt "$br" show | grep -q 'dpid:00000000000000aa' || fail "another datapath ID"
becomes 2 02:00:00:00:aa:01 Interface "$br" mac_in_use
assert_eq "$(cat "/sys/class/net/$br/address")" 02:00:00:00:aa:01 "MAC address"

step "a description, and frames that are for bridges"
vsctl set Bridge "$br" other_config:dp-desc="rack 7" other_config:dp-sn=4711
assert_contains "$(mgmt "$br" dump-desc)" "DP Description: rack 7" "Serial Num: 4711"
lldp='Ether(src="02:00:00:00:00:01",dst="01:80:c2:00:00:0e",type=0x88cc)/Raw(b"x"*50)'
packets h1 "$lldp" 2 h2=none
vsctl set Bridge "$br" other_config:forward-bpdu=true
packets h1 "$lldp" 2 h2=same
vsctl remove Bridge "$br" other_config forward-bpdu -- remove Bridge "$br" other_config dp-desc -- remove Bridge "$br" other_config dp-sn
packets h1 "$lldp" 2 h2=none
assert_contains "$(mgmt "$br" dump-desc)" "DP Description: $br" "Serial Num: None"

step "patch ports"
br2=${TEST_ID}c
on_exit link "$br2"
vsctl add-br "$br2" -- del-port "$p2" -- add-port "$br2" "$p2" -- add-port "$br" pa -- set Interface pa type=patch options:peer=pb
assert_eq "$(get Interface pa error)" "peer not found" "error of half a pair"
becomes 2 down Interface pa link_state
vsctl add-port "$br2" pb -- set Interface pb type=patch options:peer=pa
becomes 3 "[]" Interface pa error
becomes 2 up Interface pa link_state
wait_until 5 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2
vsctl set Interface pb options:peer=nobody
wait_until 3 not ping_once h1 10.0.0.2
vsctl del-br "$br2" -- del-port pa -- add-port "$br" "$p2"
wait_until 5 ping_once h1 10.0.0.2

step "a fake bridge"
fake=${TEST_ID}f
on_exit link "$fake"
vsctl add-br "$fake" "$br" 20
ip link show "$fake" >/dev/null
assert_eq "$(vsctl br-to-vlan "$fake")" 20 "VLAN"
vsctl del-br "$fake"

step "status and counters"
vsctl wait-until Interface "$p1" link_state=up
becomes 2 1500 Interface "$p1" mtu
ping_ok h1 10.0.0.2
moved() { [ "$(get Interface "$p1" statistics:rx_packets)" -gt 3 ]; }
wait_until 8 moved
vsctl list Interface >/dev/null
vsctl show | grep -q "Bridge $br" || fail "ovs-vsctl show"
in_ns h1 ip link set "$(in_ns h1 ls /sys/class/net | grep -v '^lo$' | head -n 1)" down
becomes 3 down Interface "$p1" link_state
in_ns h1 ip link set "$(in_ns h1 ls /sys/class/net | grep -v '^lo$' | head -n 1)" up
becomes 3 up Interface "$p1" link_state

step "what the datapath can do, for who makes a row for it"
vsctl -- --id=@d create Datapath datapath_version=0 -- set Open_vSwitch . datapaths:netdev=@d
assert_contains "$(vsctl get Datapath . capabilities)" 'max_hash_alg="1"' 'recirc="true"' 'max_vlan_headers="2"' 'ct_state_nat="true"' 'tnl_push_pop="true"' \
    'nd_ext="true"'
assert_eq "$(get Datapath . datapath_version)" "<built-in>" datapath_version
assert_contains "$(vsctl get Datapath . capabilities)" 'ct_timeout="true"'

step "timeouts of connections by zone"
left() { # ZONE: of the connection of a ping that was answered just now
    ctl dpctl/flush-conntrack
    ping_ok h1 10.0.0.2
    ctl dpctl/dump-conntrack -s "zone=$1" | sed -n 's/.*,timeout=\([0-9]*\).*/\1/p' | sort -n | tail -n 1
}
between() { [ "$2" -ge "$1" ] && [ "$2" -le "$3" ] || fail "a connection times out in $2 s, not in $1 to $3"; }
ovs-ofctl add-flow "unix:$RUN_DIR/$br.mgmt" priority=100,icmp,actions=ct\(commit,zone=5\),NORMAL
between 25 "$(left 5)" 60
vsctl add-zone-tp netdev zone=5 icmp_first=4000 icmp_reply=4000
between 3900 "$(left 5)" 4000
policy=$(vsctl --bare --columns=_uuid list CT_Timeout_Policy)
vsctl set CT_Timeout_Policy "$policy" timeouts:icmp_first=300 timeouts:icmp_reply=300
between 250 "$(left 5)" 300
for zone in $(seq 300 600); do words+=(-- add-zone-tp netdev "zone=$zone" "icmp_first=$zone" "icmp_reply=$zone"); done
vsctl "${words[@]:1}"
ovs-ofctl add-flow "unix:$RUN_DIR/$br.mgmt" priority=100,icmp,actions=ct\(commit,zone=600\),NORMAL
between 550 "$(left 600)" 600
vsctl del-zone-tp netdev zone=600
between 25 "$(left 600)" 60
ovs-ofctl del-flows "unix:$RUN_DIR/$br.mgmt" icmp
ctl dpctl/flush-conntrack
words=()

step "limits of zones"
limits() { ctl dpctl/ct-get-limits | sed 's/,count=.*//' | tr '\n' ' '; }
# An ovs-vsctl of 3.3 has these columns; the one that is here may not.
transact() { # OPERATION, of ovsdb(7)
    ovsdb-client transact "$DB" "[\"Open_vSwitch\",$1,{\"op\":\"mutate\",\"table\":\"Open_vSwitch\",\"where\":[],\"mutations\":[[\"next_cfg\",\"+=\",1]]}]" |
        grep -qv error || fail "the database does not take $1"
}
has_limits() { [ "$(limits)" = "$1" ]; }
transact '{"op":"insert","table":"CT_Zone","uuid-name":"z","row":{"limit":7}},{"op":"update","table":"Datapath","where":[],"row":{"ct_zones":["map",[[9,["named-uuid","z"]]]],"ct_zone_default_limit":100}}'
wait_until 5 has_limits "default limit=100 zone=9,limit=7 "
assert_contains "$(ctl dpctl/ct-set-limits zone=9,limit=8 2>&1 || true)" 'the zone limits are set via database (Operation not permitted)'
assert_contains "$(ctl dpctl/ct-del-limits zone=9 2>&1 || true)" 'the zone limits are set via database (Operation not permitted)'
transact '{"op":"update","table":"CT_Zone","where":[],"row":{"limit":8}}'
wait_until 5 has_limits "default limit=100 zone=9,limit=8 "
transact '{"op":"update","table":"Datapath","where":[],"row":{"ct_zones":["map",[]],"ct_zone_default_limit":["set",[]]}}'
wait_until 5 has_limits "default limit=0 "
may_set() { ctl dpctl/ct-set-limits zone=9,limit=8 >/dev/null 2>&1; }
wait_until 5 may_set
ctl dpctl/ct-del-limits zone=9
vsctl remove Open_vSwitch . datapaths netdev

step "the machine, if it is to be told"
vsctl set Open_vSwitch . other_config:enable-statistics=true
wait_until 8 eval '[ "$(get Open_vSwitch . statistics:cpu)" = "$(nproc)" ]'
assert_matches "$(get Open_vSwitch . statistics:memory)" '^[0-9]+,[0-9]+,[0-9]+,[0-9]+,[0-9]+$'
assert_matches "$(get Open_vSwitch . statistics:load_average)" '^[0-9.]+,[0-9.]+,[0-9.]+$'
vsctl remove Open_vSwitch . other_config enable-statistics
wait_until 8 eval '[ "$(get Open_vSwitch . statistics)" = "{}" ]'

step "other_config, while it runs"
limit() { ctl upcall/show | sed -n 's/.*(limit \([0-9]*\))/\1/p'; }
vsctl set Open_vSwitch . other_config:flow-limit=2000 other_config:max-idle=600 other_config:pmd-maxsleep=700
assert_eq "$(limit)" 2000 "flow-limit"
ping_ok h1 10.0.0.2
wait_until 3 eval '[ -z "$(ctl dpctl/dump-flows)" ]' # before the 10 s that they stay otherwise
vsctl remove Open_vSwitch . other_config flow-limit
assert_eq "$(limit)" 1000000 "the default"
vsctl set Open_vSwitch . other_config:n-handler-threads=3 other_config:dpdk-socket-mem=9
vsctl set Open_vSwitch . other_config:max-idle=10000
assert_eq "$(grep -c 'other_config:n-handler-threads=3 has no effect' "$TEST_DIR/sluiced.log")" 1 "lines about it"
assert_eq "$(grep -c 'other_config:dpdk-socket-mem has no effect: cores' "$TEST_DIR/sluiced.log")" 1 "lines about it"

step "names as long as the database takes them"
long=a-bridge-with-a-name-that-no-interface-has name=$(printf 'n%.0s' $(seq 255))
assert_contains "$(vsctl add-br $long 2>&1)" 'the name of a network interface must have 1 to 15 characters, the limit of the kernel, not 42'
ovs-ofctl -t 10 add-flow "unix:$RUN_DIR/$long.mgmt" priority=1,actions=drop
assert_contains "$(mgmt $long dump-flows)" 'priority=1 actions=drop'
vsctl add-port $long "$name" -- set Interface "$name" type=patch options:peer=none-such
assert_eq "$(get Interface "$name" error)" "peer not found" "error of half a pair"
vsctl del-br $long
assert_contains "$(vsctl add-br "$name" 2>&1)" "bridge $name: the path of its socket in "
vsctl del-br "$name"
assert_contains "$(vsctl add-port "$br" "$name" 2>&1)" 'the name of a network interface must have 1 to 15 characters'
vsctl del-port "$br" "$name"

step "what cannot be stops nothing else"
said=$(vsctl add-port "$br" "${TEST_ID}x" -- set Interface "${TEST_ID}x" type=nonsense -- add-port "$br" "${TEST_ID}y" -- \
    set Interface "${TEST_ID}y" type=dpdk -- add-port "$br" "${TEST_ID}z" -- set Interface "${TEST_ID}z" type=dpdk \
    options:dpdk-devargs=net_null_$TEST_ID,no-rx=1 options:n_rxq_desc=512 2>&1) || fail "$said"
[[ $said == *nonsense* && $said == *dpdk-devargs* ]] || fail "ovs-vsctl says: $said"
[ "$(get Interface "${TEST_ID}z" ofport)" -gt 0 ] || fail "the port behind them"
assert_eq "$(get Interface "${TEST_ID}z" status:n_rxq_desc) $(get Interface "${TEST_ID}z" status:n_txq_desc)" "512 1024" "descriptors"
vsctl del-port "${TEST_ID}x" -- del-port "${TEST_ID}y" -- del-port "${TEST_ID}z"

step "what Sluice does not have is said once, and stops nothing"
vsctl -- --id=@n create NetFlow targets='"127.0.0.1:2055"' -- set Bridge "$br" netflow=@n mcast_snooping_enable=true rstp_enable=true >/dev/null
vsctl set Interface "$p1" cfm_mpid=5 -- set Port "$p2" protected=true
applied || fail "cur_cfg"
for what in NetFlow "multicast snooping" "the rapid spanning tree protocol" CFM "protected ports"; do
    assert_eq "$(grep -c "|INFO|database: .*Sluice does not have $what: ignored" "$TEST_DIR/sluiced.log")" 1 "lines about $what"
done
ping_ok h1 10.0.0.2
vsctl clear Bridge "$br" netflow -- set Bridge "$br" mcast_snooping_enable=false rstp_enable=false -- clear Interface "$p1" cfm_mpid -- set Port "$p2" protected=false

step "the database goes and comes back"
kill -KILL "$OVSDB_PID"
ping_ok h1 10.0.0.2
rm -f "$RUN_DIR/db.sock" "$RUN_DIR/ovsdb.ctl" "$TEST_DIR"/.conf.db.~lock~
start_server
vsctl --no-wait set Port "$p1" tag=10
wait_until 15 not ping_once h1 10.0.0.2
vsctl clear Port "$p1" tag
assert_eq "$(get Interface "$p1" ofport) $(get Interface "$int" ofport)" "1 11" "numbers after the break"
wait_until 5 ping_once h1 10.0.0.2

step "a restart keeps numbers"
vsctl --no-wait del-port "$p1" -- add-port "$br" "$p1"
applied_now() { applied; }
wait_until 5 applied_now
number=$(get Interface "$p1" ofport)
stop_sluice
start_sluice
becomes 10 "$number" Interface "$p1" ofport
wait_until 5 ping_once h1 10.0.0.2

step "500 ports at once, and 50 one by one"
words=()
for i in $(seq 500); do words+=(-- add-port "$br" "${TEST_ID}v$i" -- set Interface "${TEST_ID}v$i" type=dpdkvhostuserclient "options:vhost-server-path=$RUN_DIR/v$i.sock"); done
at=$(ms)
vsctl --timeout=60 "${words[@]}"
echo "  500 ports: $(($(ms) - at)) ms"
[ "$(get Interface "${TEST_ID}v500" ofport)" -gt 0 ] || fail "the last one: $(get Interface "${TEST_ID}v500" error)"
at=$(ms)
for i in $(seq 501 550); do vsctl add-port "$br" "${TEST_ID}v$i" -- set Interface "${TEST_ID}v$i" type=dpdkvhostuserclient "options:vhost-server-path=$RUN_DIR/v$i.sock"; done
echo "  each of 50 more: $((($(ms) - at) / 50)) ms"

step "all of it goes"
vsctl emer-reset
vsctl del-br "$br"
wait_until 5 not ip link show "$br" >/dev/null 2>&1
wait_until 5 test ! -e "$RUN_DIR/$br.mgmt"
assert_eq "$(ctl --json ports | tr -d ' \n')" "[]" "ports that are left"
stop_sluice
