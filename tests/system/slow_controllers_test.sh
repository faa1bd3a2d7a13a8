#!/bin/bash
# Twenty controllers, one that never reads and one that never says a word: nobody else notices, what is dropped is counted.
# timeout: 400
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
asked=100000
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
controllers=$(for i in $(seq 0 19); do printf '%s"tcp:127.0.0.1:%d"' "${comma:-}" $((port + i)); comma=', '; done)
sluice_config "\"fail_mode\": \"secure\", \"inactivity_probe\": 0, \"controllers\": [$controllers]" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"

# Of the twenty, the first asks, 18 read what comes, the second last never reads, the last never says hello.
cat >"$TEST_DIR/crowd.py" <<'PY'
import select, sys, time
from of_peer import *

port, asked, go = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
servers = [listen(port + i, 4096 if i >= 18 else None) for i in range(20)]
peers = [Peer.accept(server) for server in servers[:19]]
silent = servers[19].accept()[0]
for peer in peers[:18]:
    peer.expect(HELLO)
print("connected", flush=True)
while True:
    try:
        open(go)
        break
    except FileNotFoundError:
        time.sleep(0.05)
packet = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x08\x00" + bytes(46)
readers = {peer.sock: peer for peer in peers[:18]}
left = asked
barrier = None
while True:
    # Requests go out as fast as they are taken, whatever comes in.
    readable, writable, _ = select.select(list(readers), [peers[0].sock] if left else [], [], 20)
    if not readable and not writable:
        sys.exit("nothing comes any more")
    for sock in readable:
        if not readers[sock].read():
            sys.exit("closed by the switch")
        while message := readers[sock].take():
            if sock is peers[0].sock and message[0] == BARRIER_REPLY and message[1] == barrier:
                print("packet-ins", [peer.seen.get(PACKET_IN, 0) for peer in peers[:18]], flush=True)
                time.sleep(600)
    if writable and left:
        peers[0].ask_for_packet_ins(packet, min(left, 20))
        left -= min(left, 20)
        if not left:
            barrier = peers[0].send(BARRIER_REQUEST)
PY
background crowd "$PYTHON" "$TEST_DIR/crowd.py" "$port" "$asked" "$TEST_DIR/go"
crowd=$PID
start_sluice
crowd_says() { grep -q "$1" "$TEST_DIR/crowd.log"; }
resident() { awk '/VmRSS/ {print $2}' "/proc/$SLUICE_PID/status"; }
column() { ctl --json controllers | "$PYTHON" -c "
import json, sys
for c in json.load(sys.stdin):
    print(c['target'].split(':')[2], $1)"; }

step "twenty controllers connect"
wait_until 30 crowd_says connected
nineteen() { [ "$(ctl --json controllers | "$PYTHON" -c 'import json,sys; print(sum(c["state"] == "active" for c in json.load(sys.stdin)))')" = 19 ]; }
wait_until 5 nineteen
ofctl add-flow 'in_port=1,actions=output:2'
ofctl add-flow 'in_port=2,actions=output:1'
ping_ok h1 10.0.0.2

step "$asked packet-ins for each of them: hosts ping and ovs-ofctl is answered meanwhile"
before=$(resident)
lost_before=$(lost_on_the_way)
background ping ip netns exec "$(ns_name h1)" ping -n -i 0.05 -W 1 10.0.0.2
ping=$PID
touch "$TEST_DIR/go"
slowest=0 fastest=1000000
until crowd_says packet-ins; do
    kill -0 "$crowd" || fail "the controllers ended: $(cat "$TEST_DIR/crowd.log")"
    start=$(date +%s%3N)
    ofctl dump-flows >/dev/null
    took=$(($(date +%s%3N) - start))
    if [ "$took" -gt "$slowest" ]; then slowest=$took; fi
    if [ "$took" -lt "$fastest" ]; then fastest=$took; fi
    sleep 0.1
done
[ "$fastest" -lt 1000 ] || fail "dump-flows of two rules took at least $fastest ms"
kill -INT "$ping"
wait_until 5 grep -q 'packets transmitted' "$TEST_DIR/ping.log"
lost=$(sed -n 's/.* \([0-9]*\)[.0-9]*% packet loss.*/\1/p' "$TEST_DIR/ping.log")
[ "$lost" -lt 3 ] || fail "$lost % of the pings were lost" # a busy machine loses one now and then

step "what was not sent was counted; queues are bounded"
# Between a packet-out and its packet-in are the rings to and from the poll-mode thread, whose drops have names of their own.
accounted() {
    lost=$(($(lost_on_the_way) - lost_before))
    [ "$(column "c['packet_ins'] + c['packet_ins_dropped'] + $lost" | awk -v n="$asked" '$2 == n' | wc -l)" = 19 ]
}
wait_until 10 accounted
read -r _ dropped <<<"$(column 'c["packet_ins_dropped"]' | grep "^$((port + 18)) ")"
[ "$dropped" -gt $(((asked - lost) / 2)) ] || fail "only $dropped dropped of the controller that never reads, of $asked without $lost lost on the way"
column 'c["queue_bytes_max"]' | while read -r target n; do [ "$n" -lt $((400 * 1024)) ] || fail "a queue of $n bytes for $target"; done
assert_matches "$(ctl drops)" 'packet_in_limit'
grown=$(($(resident) - before))
[ "$grown" -lt $((32 * 1024)) ] || fail "memory grew by $grown KB"

echo "  $(grep packet-ins "$TEST_DIR/crowd.log"), dumps of $fastest to $slowest ms, memory $grown KB"
stop_sluice
