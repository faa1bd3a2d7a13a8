#!/bin/bash
# Two QEMU guests and a container send MEGABYTES (2) to each other by TCP, with segments that others cut and with frames of 9 kB.
# timeout: 1800
# by name only: two virtual machines by emulation take both cores
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/guests.sh"

megabytes=${MEGABYTES:-2}
export VM_TIMEOUT=$((120 + 20 * megabytes))
s1=$TEST_DIR/vm1.sock s2=$TEST_DIR/vm2.sock
ns_make h5
ip link add "$(host_if h5)" type veth peer name eth0 netns "$(ns_name h5)"
on_exit link "$(host_if h5)"
ip link set "$(host_if h5)" mtu 9000 up
in_ns h5 ip link set eth0 up
in_ns h5 ip addr add 10.0.0.5/24 dev eth0
ports() { # MTU
    sluice_config '"fail_mode": "standalone"' \
        "{ \"name\": \"vm1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s1\", \"mtu\": $1 }" \
        "{ \"name\": \"vm2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s2\", \"mtu\": $1 }" \
        "{ \"name\": \"p5\", \"ofport\": 5, \"type\": \"system\", \"ifname\": \"$(host_if h5)\", \"mtu\": $1 }"
}
ports 1500
start_sluice
vm_up v1 "$s1" --server --ip 10.0.0.1/24 --mac 52:54:00:00:00:01
vm_up v2 "$s2" --client --ip 10.0.0.2/24 --mac 52:54:00:00:00:02
vm_wait v1 400
vm_wait v2 400
wait_until 30 vm_ping_once v1 10.0.0.2
wait_until 30 vm_ping_once v1 10.0.0.5
dropped() { ctl --json drops | "$PYTHON" -c 'import json, sys; print(sum(n for why, n in json.load(sys.stdin).items() if why in sys.argv[1:]))' "$@"; }

# run HOST COMMAND: in a guest, v1 or v2, or in the container
run() { if [ "$1" = h5 ]; then in_ns h5 sh -c "$2"; else vm_exec "$1" "$2"; fi; }
word() { run "$1" "$2" | tr -d ' \r\n-'; }
received() { word "$1" 'cat /sys/class/net/eth0/statistics/rx_packets'; }
block="$TEST_DIR/block"
stream='i=0; while [ $i -lt '"$megabytes"' ]; do cat BLOCK; i=$((i+1)); done'
# tcp FROM TO ADDRESS MTU: what arrives is what was sent, in large segments where both ends can
tcp() {
    local sent=${stream/BLOCK/$([ "$1" = h5 ] && echo "$block" || echo /tmp/block)} before packets start
    run "$1" "dd if=/dev/urandom of=$([ "$1" = h5 ] && echo "$block" || echo /tmp/block) bs=1024 count=1024 2>/dev/null"
    before=$(received "$2")
    if [ "$2" = h5 ]; then
        background "sum-$1" ip netns exec "$(ns_name h5)" sh -c "rm -f $TEST_DIR/sum; socat -u TCP-LISTEN:5000,reuseaddr STDOUT | md5sum >$TEST_DIR/sum"
        wait_until 10 in_ns h5 sh -c 'ss -tln | grep -q :5000'
    else
        run "$2" "rm -f /tmp/sum; (sleep $VM_TIMEOUT | nc -l -p 5000 | md5sum >/tmp/sum; killall sleep) & sleep 1"
    fi
    start=$(date +%s%N)
    run "$1" "($sent) | $([ "$1" = h5 ] && echo "socat -u STDIN TCP:$3:5000" || echo "nc -w 60 $3 5000")"
    if [ "$2" = h5 ]; then wait_until 60 test -s "$TEST_DIR/sum"; else wait_until 60 vm_exec "$2" 'test -s /tmp/sum'; fi
    echo "  $1 -> $2, mtu $4: $megabytes MB in $((($(date +%s%N) - start) / 1000000)) ms"
    packets=$(($(received "$2") - before))
    assert_eq "$(word "$2" "cat $([ "$2" = h5 ] && echo "$TEST_DIR/sum" || echo /tmp/sum)")" "$(word "$1" "($sent) | md5sum")" "md5 of what arrived"
    # An emulated guest is slow to fill segments: some have to be longer than what fits into 1500.
    [ "$packets" -lt $((megabytes * 1048576 / 2000)) ] || fail "$megabytes MB arrived in $packets packets"
}

step "segments that others cut"
tcp v1 v2 10.0.0.2 1500
tcp v2 v1 10.0.0.1 1500
tcp v1 h5 10.0.0.5 1500
tcp h5 v2 10.0.0.2 1500

step "frames of 9 kB"
ports 9000
ctl reload >/dev/null
for host in v1 v2 h5; do run $host 'ip link set eth0 mtu 9000'; done
tcp v1 v2 10.0.0.2 9000
tcp v2 h5 10.0.0.5 9000
tcp h5 v1 10.0.0.1 9000
assert_eq "$(dropped rx_offload tx_oversize no_mbuf action_malformed)" 0 "packets dropped"

stop_sluice
