# rest_firewall: what is not allowed is blocked and reported.
# shellcheck shell=bash
s1=0000000000000001

for version in 10 13; do
    [[ " $versions " == *" $version "* ]] || continue
    step "rest_firewall, OpenFlow $version"
    no_addresses
    for n in 1 2 3 4; do address h$n 10.0.0.$n/24; done
    manager "$version" os_ken.app.rest_firewall
    wait_until 20 logged 'Join as firewall' 3
    ok GET /firewall/module/status '' '"status": "disable"'
    ping_none h1 10.0.0.4
    ok PUT /firewall/module/enable/all '' 'firewall running'
    ok GET /firewall/module/status '' '"status": "enable"'
    assert_lacks "$REPLY" disable
    refused 400 PUT /firewall/module/enable/00000000000000ff
    ok GET /firewall/log/status '' '"log_status": "enable"'

    # Before there are rules: of 1.3 the application takes ALLOW for something else here (it expects a number where its library says NORMAL).
    step "  without reports"
    ok PUT /firewall/log/disable/all '' 'Log collection stopped.'
    ok GET /firewall/log/status '' '"log_status": "disable"'
    assert_lacks "$REPLY" enable
    reports=$(grep -c 'Blocked packet' "$TEST_DIR/osken.log" || true)
    ping_none h1 10.0.0.4
    assert_eq "$(grep -c 'Blocked packet' "$TEST_DIR/osken.log" || true)" "$reports" "reports"
    ok PUT /firewall/log/enable/all '' 'Log collection started.'
    ok GET /firewall/log/status '' '"log_status": "enable"'

    step "  blocked until there is a rule, and that is reported"
    ping_none h1 10.0.0.4
    wait_until 5 logged 'Blocked packet = .*icmp'
    ok POST /firewall/rules/$s1 '{"nw_src": "10.0.0.1/32", "nw_dst": "10.0.0.4/32", "nw_proto": "ICMP"}' 'Rule added. : rule_id=1'
    ok POST /firewall/rules/$s1 '{"nw_src": "10.0.0.4/32", "nw_dst": "10.0.0.1/32", "nw_proto": "ICMP"}' 'Rule added. : rule_id=2'
    ping_ok h1 10.0.0.4
    ping_none h1 10.0.0.2
    ok GET /firewall/rules/$s1 '' '"nw_src": "10.0.0.1"' '"dl_type": "IPv4"' '"nw_proto": "ICMP"' '"actions": "ALLOW"' '"rule_id": 2'
    refused 400 POST /firewall/rules/$s1 '{"nw_src": "10.0.0.1/32", "priority": "65535"}'
    refused 400 POST /firewall/rules/$s1 '{"nw_src": "10.0.0.1/32", "ipv6_dst": "::1"}'

    step "  all switches, by address and by port"
    ok POST /firewall/rules/all '{"nw_src": "10.0.0.0/24", "nw_dst": "10.0.0.3", "nw_proto": "UDP", "tp_dst": "53"}'
    ok POST /firewall/rules/all '{"nw_src": "10.0.0.1/32", "nw_dst": "10.0.0.2/32"}'
    ok POST /firewall/rules/all '{"nw_src": "10.0.0.2/32", "nw_dst": "10.0.0.1/32"}'
    ping_ok h1 10.0.0.2
    udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:03")/IP(src="10.0.0.1",dst="10.0.0.3")/UDP(sport=1000,dport=DPORT)/Raw(b"x"*30)'
    packets h1 "${udp/DPORT/53}" 1 h3=same
    packets h1 "${udp/DPORT/54}" 1 h3=none

    step "  a denial of higher priority, until it is deleted"
    ok POST /firewall/rules/$s1 '{"priority": "10", "in_port": "1", "nw_src": "10.0.0.1/32", "nw_dst": "10.0.0.4/32", "nw_proto": "ICMP", "actions": "DENY"}' success
    id=$(sed 's/.*rule_id=\([0-9]*\).*/\1/' <<<"$REPLY")
    ping_none h1 10.0.0.4
    ping_ok h1 10.0.0.2
    wait_until 5 logged "Blocked packet = .*src='10.0.0.1'.*|Blocked packet = .*10.0.0.4"
    ok GET /firewall/rules/$s1 '' '"actions": "DENY"' '"priority": 10'
    ok DELETE /firewall/rules/$s1 "{\"rule_id\": \"$id\"}" "Rule deleted. : ruleID=$id"
    ping_ok h1 10.0.0.4

    ok PUT /firewall/module/disable/$s1 '' 'firewall stopped'
    ping_none h1 10.0.0.4
    ok PUT /firewall/module/enable/$s1 '' 'firewall running'
    ping_ok h1 10.0.0.4

    step "  VLANs"
    for n in 1 4; do
        address h$n 10.2.0.$n/24 '' 2
        address h$n 10.110.0.$n/24 '' 110
    done
    ping_none h1 10.2.0.4
    ok POST /firewall/rules/$s1/2 '{"nw_src": "10.2.0.0/24", "nw_dst": "10.2.0.0/24", "nw_proto": "ICMP"}' '"vlan_id": 2'
    ok POST /firewall/rules/$s1/110 '{"nw_src": "10.110.0.0/24", "priority": "5"}' '"vlan_id": 110'
    ping_ok h1 10.2.0.4
    ping_ok h1 10.110.0.4
    ok POST /firewall/rules/$s1/110 '{"priority": "9", "nw_src": "10.110.0.0/24", "nw_proto": "ICMP", "actions": "DENY"}' success
    ping_none h1 10.110.0.4
    ping_ok h1 10.2.0.4
    ok GET /firewall/rules/$s1/all '' '"vlan_id"' '10.2.0.0' '10.110.0.0'
    end_manager
done
