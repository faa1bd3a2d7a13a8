# rest_router: three routers in a line, each with its hosts; then the same in a VLAN.
# shellcheck shell=bash
s1=0000000000000001
s2=0000000000000002
s3=0000000000000003
ping_says() { # HOST WHAT-PING-SAYS ADDRESS [OPTION...]
    local output
    output=$(in_ns "$1" ping -n -c 1 -W 5 "${@:4}" "$3") || true
    [[ $output == *"$2"* ]] || fail "ping $1 -> $3: no '$2' in: $output"
}

for version in 10 13; do
    [[ " $versions " == *" $version "* ]] || continue
    for vlan in '' 2; do
        step "rest_router, OpenFlow $version${vlan:+, VLAN $vlan}"
        v=${vlan:+/$vlan}
        no_addresses
        address h1 172.16.20.10/24 172.16.20.1 $vlan
        address h4 172.16.20.11/24 172.16.20.1 $vlan
        address h2 172.16.10.10/24 172.16.10.1 $vlan
        address h3 192.168.30.10/24 192.168.30.1 $vlan
        manager "$version" os_ken.app.rest_router
        wait_until 20 logged 'Join as router' 3
        # In its first second it walks the table that a VLAN changes; Python 3 does not let it.
        [ -z "$vlan" ] || sleep 2
        refused 404 GET /router/00000000000000ff

        step "  addresses; the routers answer for them"
        ok POST /router/$s1$v '{"address": "172.16.20.1/24"}' 'Add address [address_id=1]'
        ok POST /router/$s1$v '{"address": "172.16.30.30/24"}' 'Add address [address_id=2]'
        ok POST /router/$s2$v '{"address": "172.16.10.1/24"}' success
        ok POST /router/$s2$v '{"address": "172.16.30.1/24"}' success
        ok POST /router/$s2$v '{"address": "192.168.10.1/24"}' success
        ok POST /router/$s3$v '{"address": "192.168.30.1/24"}' success
        ok POST /router/$s3$v '{"address": "192.168.10.20/24"}' success
        ok POST /router/$s3$v '{"address": "192.168.30.9/24"}' failure 'Address overlaps [address_id=1]'
        ok GET /router/$s1$v '' '"address": "172.16.20.1/24"' '"address_id": 2'
        ping_ok h1 172.16.20.1
        ping_ok h2 172.16.10.1
        ping_ok h3 192.168.30.1
        ping_ok h1 172.16.20.11
        ping_none h1 172.16.10.10

        step "  default routes and a static one"
        ok POST /router/$s1$v '{"gateway": "172.16.99.1"}' failure 'is not registered'
        ok POST /router/$s1$v '{"gateway": "172.16.30.1"}' 'Add route [route_id=1]'
        ok POST /router/$s2$v '{"gateway": "172.16.30.30"}' success
        ok POST /router/$s3$v '{"gateway": "192.168.10.1"}' success
        wait_until 20 web_has "/router/$s1$v" '"gateway": "172.16.30.1"'
        wait_until 20 web_has "/router/$s3$v" '"gateway": "192.168.10.1"'
        wait_until 20 ping_once h1 172.16.10.10
        ping_ok h1 172.16.10.10
        ping_ok h2 172.16.20.10
        ok POST /router/$s2$v '{"destination": "192.168.30.0/24", "gateway": "192.168.10.20"}' 'Add route [route_id=2]'
        wait_until 20 web_has "/router/$s2$v" '"destination": "192.168.30.0/24"'
        wait_until 20 ping_once h1 192.168.30.10
        ping_ok h1 192.168.30.10 5
        ping_ok h3 172.16.10.10
        ping_ok h4 192.168.30.10

        step "  who answers what does not arrive"
        if [ "$version" = 13 ]; then
            assert_contains "$(in_ns h1 ping -n -c 1 -W 5 192.168.30.10)" 'ttl=61'
            ping_says h1 'From 172.16.20.1 icmp_seq=1 Time to live exceeded' 192.168.30.10 -t 1
            ping_says h1 'From 172.16.30.1 icmp_seq=1 Time to live exceeded' 192.168.30.10 -t 2
            ping_says h1 'From 192.168.10.20 icmp_seq=1 Time to live exceeded' 192.168.30.10 -t 3
            ping_says h1 '1 received' 192.168.30.10 -t 4
        fi
        ping_says h1 'Destination Host Unreachable' 192.168.30.77
        capture h1
        in_ns h1 bash -c 'echo x >/dev/udp/172.16.20.1/9999'
        wait_until 5 captured h1 'ICMP 172.16.20.1 udp port 9999 unreachable'

        step "  a route goes, an address with it"
        ok DELETE /router/$s2$v '{"route_id": "2"}' 'Delete route [route_id=2]'
        wait_until 10 ping_fails h1 192.168.30.10
        ping_ok h1 172.16.10.10
        ok DELETE /router/$s3$v '{"address_id": "all"}' 'Skip delete (related route exist)'
        ok DELETE /router/$s3$v '{"route_id": "all"}' 'Delete route'
        ok DELETE /router/$s3$v '{"address_id": "all"}' 'Delete address'
        ok GET /router/$s3$v ''
        assert_lacks "$REPLY" 192.168
        wait_until 10 ping_fails h3 192.168.30.1
        ok GET /router/all/all '' '172.16.20.1/24' "\"switch_id\": \"$s2\""
        end_manager
    done
done
