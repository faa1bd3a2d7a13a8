#!/bin/bash
# Ports one by one and hundreds at once by ovs-vsctl: the five hundredth costs what the first did, and a stream beside them loses nothing.
# timeout: 400
# by name only
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
. "$TEST_LIB/box.sh"

PORTS=${PORTS:-500} PPS=${PPS:-2000}
box_make
box_switch
box_host h1 10.0.0.1/24 02:00:00:00:00:01
box_host h2 10.0.0.2/24 02:00:00:00:00:02
box ovs-vsctl add-br stream -- set Bridge stream fail_mode=secure -- add-port stream "$(host_if h1)" -- set Interface "$(host_if h1)" ofport_request=1 -- \
    add-port stream "$(host_if h2)" -- set Interface "$(host_if h2)" ofport_request=2
box ovs-ofctl add-flow stream in_port=1,actions=output:2
box ovs-vsctl add-br br0

# A steady stream of packets of 64 bytes from h1, until its standard input ends; then it prints how many it sent.
cat >"$TEST_DIR/stream.py" <<'PYTHON'
import select, sys, time
from packet import Host
host, rate = Host("h1"), int(sys.argv[1])
frame = bytes.fromhex("0200000000020200000000010800450000320000000040110000") + bytes([10, 0, 0, 1, 10, 0, 0, 2]) + bytes.fromhex("03e807d0001e0000") + bytes(22)
sent, start = 0, time.monotonic()
while not select.select([sys.stdin], [], [], 0)[0]:
    due = int((time.monotonic() - start) * rate)
    due = min(due, sent + rate // 50)  # this process does not get the core all the time: no more than 20 ms of it at once
    while sent < due:
        host.send(frame)
        sent += 1
    time.sleep(0.001)
print(sent)
PYTHON
arrived() { in_ns h2 cat /sys/class/net/eth0/statistics/rx_packets; }
stream_start() {
    before=$(arrived)
    rm -f "$TEST_DIR/stop"
    mkfifo "$TEST_DIR/stop"
    TEST_ID=$TEST_ID "$PYTHON" "$TEST_DIR/stream.py" "$PPS" <"$TEST_DIR/stop" >"$TEST_DIR/sent" &
    streamer=$!
    on_exit pid "$streamer"
    exec 7>"$TEST_DIR/stop"
    wait_until 10 eval '[ "$(arrived)" -gt $((before + 100)) ]'
    box ovs-appctl flows clear >/dev/null
}
# stream_stop WHAT: nothing was lost, and no turn of the control thread took more than 10 ms
stream_stop() {
    local sent got own
    exec 7>&-
    wait "$streamer"
    sent=$(cat "$TEST_DIR/sent")
    wait_until 3 eval "[ \$((\$(arrived) - before)) -ge $sent ]" || true
    got=$(($(arrived) - before))
    own=$(box ovs-appctl flows | awk '$1 == "longest_turn_own_us" {print $2}')
    echo "  $1: $sent packets beside it, $((sent - got)) lost; longest turn of the control thread $own us by its processor time"
    assert_eq "$((sent - got))" 0 "packets of the stream that were lost"
    [ "$own" -le 10000 ] || fail "$1: a turn of the event loop took $own us"
}
ms() { echo $(($(date +%s%N) / 1000000)); }
links() { # FIRST LAST: v1 and so on, up, and their peers
    for i in $(seq "$1" "$2"); do printf 'link add v%d type veth peer name w%d\nlink set v%d up\nlink set w%d up\n' "$i" "$i" "$i" "$i"; done |
        box ip -batch -
}
average() { awk '{n += $1; if ($1 > most) most = $1} END {printf "%.1f ms, the longest %d ms", n / NR, most}'; }

# add FIRST LAST [OPTION...]: how long each of these took, a line a port
add() {
    local i at
    for i in $(seq "$1" "$2"); do
        at=$(ms)
        box ovs-vsctl "${@:3}" add-port br0 "v$i"
        echo $(($(ms) - at))
    done
}
numbers() { # FIRST LAST: of v1 and so on
    for i in $(seq "$1" "$2"); do words+=(-- get Interface "v$i" ofport); done
    box ovs-vsctl "${words[@]}" | tr '\n' ' '
    words=()
}
words=()

links 1 $((PORTS + 100))
step "$PORTS ports, one by one"
stream_start
add 1 "$PORTS" >"$TEST_DIR/each"
stream_stop "$PORTS times add-port"
assert_eq "$(numbers 1 "$PORTS")" "$(seq -s ' ' "$PORTS") " "numbers of the ports"
# Most of it is ovs-vsctl's: it reads the whole database. With --no-wait it does not wait for the switch.
add $((PORTS + 1)) $((PORTS + 50)) --no-wait >"$TEST_DIR/unwaited"
echo "  the first 50: $(head -n 50 "$TEST_DIR/each" | average); the last 50: $(tail -n 50 "$TEST_DIR/each" | average)"
echo "  50 more by ovs-vsctl --no-wait: $(average <"$TEST_DIR/unwaited")"
middle() { sort -n | awk '{t[NR] = $1} END {print t[int((NR + 1) / 2)]}'; }
[ $(($(tail -n 50 "$TEST_DIR/each" | middle) - $(middle <"$TEST_DIR/unwaited"))) -le 50 ] || fail "the last ports take longer than 50 ms"

step "$PORTS in one transaction"
for i in $(seq $((PORTS + 50))); do words+=(-- del-port "v$i"); done
box ovs-vsctl "${words[@]}"
words=()
for i in $(seq "$PORTS"); do words+=(-- add-port br0 "v$i"); done
stream_start
at=$(ms)
box ovs-vsctl "${words[@]}"
took=$(($(ms) - at))
words=()
stream_stop "$PORTS ports in $took ms"
# None of the numbers that others had within the last hour, each once.
assert_eq "$(numbers 1 "$PORTS" | tr ' ' '\n' | awk -v above=$((PORTS + 50)) '$1 > above' | sort -u | wc -l)" "$PORTS" "numbers of the ports"
[ "$took" -le 2000 ] || fail "$took ms"

step "4096 ports, of which 1000 are devices"
for i in $(seq $((PORTS + 1)) 998); do words+=(-- add-port br0 "vhu$i" -- set Interface "vhu$i" type=dpdkvhostuserclient "options:vhost-server-path=$TEST_DIR/vhu$i"); done
for i in $(seq 1548); do
    words+=(-- add-port br0 "pa$i" -- set Interface "pa$i" type=patch "options:peer=pb$i" -- add-port br1 "pb$i" -- set Interface "pb$i" type=patch "options:peer=pa$i")
    [ $((i % 300)) != 0 ] || { box ovs-vsctl --may-exist add-br br1 "${words[@]}"; words=(); }
done
stream_start
box ovs-vsctl "${words[@]}"
words=()
at=$(ms)
box ovs-vsctl add-port br0 in1 -- set Interface in1 type=internal ofport_request=40000
echo "  one more: $(($(ms) - at)) ms"
stream_stop "ports beside 4096"
assert_eq "$(box_get Interface in1 ofport) $(box_get Interface pa1548 link_state)" "40000 up"
n=$(box ovs-vsctl --columns=ofport find Interface 'ofport>0' | grep -c ofport)
[ "$n" -ge 4096 ] || fail "$n ports"

step "and all of them go"
box ovs-vsctl del-br br0 -- del-br br1
wait_until 10 eval '! box ip link show br0 >/dev/null 2>&1'
