# rest_topology, simple_switch_rest_13, simple_monitor_13, simple_switch_lacp_13: those of them that are there.
# shellcheck shell=bash
s1=0000000000000001
[[ " $versions " == *" 13 "* ]] || return 0
no_addresses
for n in 1 2 3 4; do address h$n 10.0.0.$n/24; done

if has rest_topology; then
    step "rest_topology: links by LLDP, hosts"
    links_are() { rest GET /v1.0/topology/links && [ "$(grep -o '"src"' <<<"$REPLY" | wc -l)" = "$1" ]; }
    manager 13 os_ken.app.simple_switch_13 os_ken.app.rest_topology --observe-links
    wait_until 30 links_are 4
    ok GET /v1.0/topology/switches '' "\"dpid\": \"$s1\"" '"name": "p4"'
    ok GET /v1.0/topology/links/$s1 '' '"name": "a12"' '"name": "b12"'
    assert_lacks "$REPLY" '"name": "b23"'
    wait_until 10 ping_once h1 10.0.0.3
    wait_until 10 web_has /v1.0/topology/hosts/0000000000000003 '"mac": "02:00:00:00:00:03"'
    end_manager
fi

if has simple_switch_rest_13; then
    step "simple_switch_rest_13: addresses told, not learned"
    manager 13 os_ken.app.simple_switch_rest_13
    refused 404 GET /simpleswitch/mactable/00000000000000ff
    ok PUT /simpleswitch/mactable/$s1 '{"mac": "02:00:00:00:00:01", "port": 1}'
    ok PUT /simpleswitch/mactable/$s1 '{"mac": "02:00:00:00:00:04", "port": 4}' '"02:00:00:00:00:01": 1'
    ok GET /simpleswitch/mactable/$s1 '' '"02:00:00:00:00:04": 4'
    for h in 1 4; do in_ns h$h ip neigh replace 10.0.0.$((5 - h)) lladdr 02:00:00:00:00:0$((5 - h)) dev eth0; done
    ping_ok h1 10.0.0.4
    assert_eq "$(grep -c 'packet in' "$TEST_DIR/osken.log" || true)" 0 "packet-ins"
    end_manager
fi

if has simple_monitor_13; then
    step "simple_monitor_13: counters every ten seconds"
    manager 13 os_ken.app.simple_monitor_13
    wait_until 10 ping_once h1 10.0.0.3
    ping_ok h1 10.0.0.3 5
    wait_until 25 logged '^0000000000000001 +1 02:00:00:00:00:03 +2 +[1-9]'
    wait_until 25 logged '^0000000000000003 +2 +[1-9][0-9]* +[1-9][0-9]* +0 +[1-9]'
    end_manager
fi

if has simple_switch_lacp_13; then
    step "simple_switch_lacp_13: a partner comes, is answered, and times out by flow_removed"
    manager 13 os_ken.app.simple_switch_lacp_13
    side=8000020000000001000180000001 # system priority and address, key, port priority and number
    printf -v zeros '%0100d' 0
    lacpdu="0101""0114${side}3f000000""0214${side}3f000000""03100000${zeros:0:24}""0000$zeros"
    capture h1
    partner_seen() {
        packets h1 "Ether(src='02:00:00:00:00:01',dst='01:80:c2:00:00:02',type=0x8809)/Raw(bytes.fromhex('$lacpdu'))" 1
        logged 'slave state changed port: 1 enabled: True'
    }
    wait_until 10 partner_seen
    wait_until 10 captured h1 'LACPv1, length 110'
    assert_contains "$(ofctl dump-flows)" 'idle_timeout=3' 'dl_type=0x8809'
    wait_until 20 logged 'slave state changed port: 1 enabled: False'
    end_manager
fi
