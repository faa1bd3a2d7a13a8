#!/bin/bash
# A QEMU guest moves from one port of the switch to another, and back, while a container pings it a hundred times a second.
# timeout: 240
# by name only: two virtual machines by emulation take both cores
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/guests.sh"

LIMIT_MS=${LIMIT_MS:-1000} # of silence; 100 on a machine with nothing else to do
s1=$TEST_DIR/vm1.sock s2=$TEST_DIR/vm2.sock
host_make h1 10.0.0.9/24
sluice_config '"fail_mode": "standalone"' \
    "$(port_json p3 3 h1)" \
    "{ \"name\": \"vm1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s1\" }" \
    "{ \"name\": \"vm2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s2\" }"
start_sluice

address=(--ip 10.0.0.1/24 --mac 52:54:00:00:00:01)
vm_up a "$s1" --server "${address[@]}"
vm_wait a 90
wait_until 10 ping_once h1 10.0.0.1
vm_exec a 'echo kept >/tmp/word'

# pinged FILE: the longest time between two answers, and how many of the questions had none
pinged() {
    awk '/bytes from/ {at = substr($1, 2, length($1) - 2) * 1000; split($6, seq, "=")
            if (last && at - last > most) most = at - last
            if (last && seq[2] > number + 1) lost += seq[2] - number - 1
            last = at; number = seq[2]; n++}
        END {printf "%d %d %d", most, lost, n}' "$1"
}

# move FROM TO SOCKET WAY: and what those who talk to it see of it
move() {
    local path=$TEST_DIR/$2.incoming downtime most lost n
    step "the guest moves from QEMU $1 to QEMU $2, whose port is in mode $4"
    vm_up "$2" "$3" "--$([ "$4" = client ] && echo server || echo client)" "${address[@]}" --incoming "$path"
    wait_until 10 test -S "$path"
    background ping ip netns exec "$(ns_name h1)" ping -D -n -i 0.01 10.0.0.1
    wait_until 10 test -s "$TEST_DIR/ping.log"
    sleep 1
    downtime=$("$TOP/scripts/vm" migrate "$1" "$path")
    wait_until 10 ping_once h1 10.0.0.1
    sleep 1
    kill -INT "$PID"
    wait_until 5 eval '! kill -0 "$PID" 2>/dev/null'
    read -r most lost n <<<"$(pinged "$TEST_DIR/ping.log")"
    echo "  QEMU says that the guest stood still for $downtime ms; $n answers, $lost questions of 10 ms each without one, $most ms between two answers at most"
    [ "$n" -ge 100 ] || fail "only $n answers"
    [ "$((lost * 10))" -le "$LIMIT_MS" ] || fail "$lost questions without an answer"
    assert_eq "$(vm_exec "$2" 'cat /tmp/word')" kept "what the guest had written"
}
move a b "$s2" server
vm_exec b 'echo kept >/tmp/word'
move b c "$s1" client

stop_sluice
