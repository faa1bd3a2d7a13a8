#!/bin/bash
# Guests that mean harm, by every act that is known, beside two that lose nothing. WAYS=4: each act on both ring layouts and in both modes.
# timeout: 600
. "$(dirname "$0")/lib/harness.sh"

. "$TEST_LIB/bystander.sh"
vhost_json() { printf '{ "name": "%s", "ofport": %d, "type": "vhost-user", "mode": "%s", "path": "%s" }' "$1" "$2" "$3" "$TEST_DIR/$1.sock"; }
sluice_config '"fail_mode": "secure"' "$(vhost_json from 1 server)" "$(vhost_json to 2 server)" \
    "$(vhost_json evil_server 3 server)" "$(vhost_json evil_client 4 client)" \
    '{ "name": "null", "ofport": 5, "type": "dpdk", "devargs": "net_null0,no-rx=1" }'
start_sluice
# The others' frames are for whoever plays, too; what that one sends is also for a port that takes no packet that is not finished.
ofctl add-flow in_port=1,actions=output:2,output:3,output:4
ofctl add-flow in_port=3,actions=output:4,output:5
ofctl add-flow in_port=4,actions=output:3,output:5

faults() { ctl --json ports | "$PYTHON" -c 'import json, sys; print(sum(p["peer_faults"] for p in json.load(sys.stdin) if p["name"] == sys.argv[1]))' "$1"; }

step "two guests that only talk to each other"
bystander_start
before=$(descriptors)

# Each act in one of the four ways, by turns; WAYS=4: in all.
n=0
for act in ${ACTS:-$("$hostile" acts)}; do
    ways="server/split client/packed server/packed client/split"
    [ "${WAYS:-1}" = 4 ] || ways=$(cut -d' ' -f"$((n % 4 + 1))" <<<"$ways")
    n=$((n + 1))
    for way in $ways; do
        mode=${way%/*} layout=${way#*/}
        step "$act, $layout rings, the switch as $mode"
        "$hostile" play "$TEST_DIR/evil_$mode.sock" "$mode" "$layout" "$act"
        sluice_runs || fail "sluiced is gone"
        kill -0 "$streamer" || fail "the stream ended: $(cat "$TEST_DIR/stream.log")"
    done
done
step "what they did is counted and logged"
for mode in server client; do
    [ "$(faults "evil_$mode")" -gt 0 ] || fail "no fault of evil_$mode is counted"
    grep -q "evil_$mode: the connection of the VM on .* is closed: it passed" "$TEST_DIR/sluiced.log" || fail "no line of evil_$mode in the log"
done
assert_eq "$(faults from) $(faults to)" "0 0" "faults of the two others"

step "the control thread was never held up by them"
own=$(ctl flows | awk '$1 == "longest_turn_own_us" {print $2}')
[ "$own" -lt 10000 ] || fail "a turn of $own us"

step "nothing of them is left, no descriptor and no memory, and the two others have lost nothing"
bystander_stop "$before"

stop_sluice
