#!/bin/bash
# Ports move between bridges while all of them have traffic: no packet is ever seen in the wrong bridge.
#   ISOLATION_MOVES=2000 ISOLATION_FLOWS=14000 tests/system/run isolation    thousands of reloads, never less than 50 000 megaflows
# timeout: 3600 (ISOLATION_MOVES: reloads in each part, ISOLATION_PARTS="2": in the second alone; ISOLATION_FLOWS: flows of a port there, of which four
# ports never move)
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

moves=${ISOLATION_MOVES:-15}
prefix=i$(($$ % 100000))b # of the interfaces' names

# move FLOWS: moves ports about while each sends that many flows; what was sent and seen is left in $OUTPUT
move() {
    OUTPUT=$("$PYTHON" "$TEST_LIB/isolation.py" "$TEST_DIR/sluice.json" "$RUN_DIR/sluiced.ctl" "$moves" "$1" "$prefix")
    echo "  $OUTPUT"
    assert_matches "$OUTPUT" "^moves $moves .* wrong 0 "
    # Ports did move (one there and back in the same burst may not have), something was there to be seen, and nearly all of it was looked at.
    awk '{exit !($4 > $2 / 3 && $8 > 10 * $2 && $12 < $8 / 100)}' <<<"$OUTPUT" || fail "too little was seen: $OUTPUT"
    # A machine with other work has fewer at a time: half of them try the same.
    [ "${OUTPUT##* }" -ge $(($1 * 4 * (${ISOLATION_FLOWS:+4} + 5) / 10)) ] || fail "there were too few megaflows at some time: $OUTPUT"
}

# So that only moves of ports take megaflows away, however slowly packets come.
PMD_KEYS='"max_idle_ms": 3600000'
sluice_config '"fail_mode": "secure"'
sed -i 's|"bridges": \[ {|"bridges": [ { "name": "br1", "fail_mode": "secure", "ports": [] }, {|' "$TEST_DIR/sluice.json"
"$PYTHON" "$TEST_LIB/isolation.py" "$TEST_DIR/sluice.json" "$RUN_DIR/sluiced.ctl" -1 1 "$prefix"
start_sluice

if [ "${ISOLATION_PARTS:-1 2}" != 2 ]; then
    step "a port's megaflow, and misses under way"
    for bridge in br0 br1; do ovs-ofctl add-flow "unix:$RUN_DIR/$bridge.mgmt" actions=all; done
    move 1
fi

step "a megaflow for each of many flows"
for bridge in br0 br1; do
    ovs-ofctl del-flows "unix:$RUN_DIR/$bridge.mgmt"
    ovs-ofctl add-flow "unix:$RUN_DIR/$bridge.mgmt" 'priority=1,ip,actions=move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],resubmit(,1)'
    ovs-ofctl add-flow "unix:$RUN_DIR/$bridge.mgmt" 'table=1,priority=1,reg0=0xffffffff,actions=drop'
    ovs-ofctl add-flow "unix:$RUN_DIR/$bridge.mgmt" 'table=1,priority=0,actions=all'
done
move "${ISOLATION_FLOWS:-2000}"
stop_sluice
