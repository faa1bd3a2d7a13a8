#!/bin/bash
# Guests of two queues that are killed under load and come back, in both modes and on both ring layouts, beside two that lose nothing.
# timeout: 150
#
# ROUNDS=50 LIMIT_MS=300 is the full measure, for a machine that does nothing else.
. "$(dirname "$0")/lib/harness.sh"

. "$TEST_LIB/bystander.sh"
vhost_json() { # NAME OFPORT MODE [MORE]
    printf '{ "name": "%s", "ofport": %d, "type": "vhost-user", "mode": "%s", "path": "%s"%s }' "$1" "$2" "$3" "$TEST_DIR/$1.sock" "${4:-}"
}
sluice_config '"fail_mode": "secure"' "$(vhost_json from 1 server)" "$(vhost_json to 2 server)" \
    "$(vhost_json by_server 3 server ', "rx_queues": 2')" "$(vhost_json by_client 4 client ', "rx_queues": 2')"
start_sluice
ofctl add-flow in_port=1,actions=output:2
ofctl add-flow in_port=3,actions=in_port
ofctl add-flow in_port=4,actions=in_port

bystander_start
before=$(descriptors)

for way in server/split client/packed server/packed client/split; do
    mode=${way%/*} layout=${way#*/}
    step "the switch as $mode, $layout rings"
    "$BUILD/tests/system/vhost-restarts" "$TEST_DIR/by_$mode.sock" "$mode" "$layout" "${ROUNDS:-5}" "${LIMIT_MS:-5000}" | sed 's/^/  /'
    sluice_runs || fail "sluiced is gone"
done

step "nothing of the dead is left, and the two others have lost nothing"
bystander_stop "$before"

stop_sluice
