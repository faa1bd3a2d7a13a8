#!/bin/bash
# Many masks: rules of which each has a mask of its own come and go, one by one and in bundles, without a long turn of the control thread.
#   MASKS=74000 tests/system/run masks
# by name only
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

MASKS=${MASKS:-74000}
export OFCTL_TIMEOUT=200
sluice_config '"fail_mode": "secure"'
start_sluice

rules() { # COMMAND PRIORITY: as lines for a bundle; PRIORITY of each by its number i
    "$PYTHON" - "$MASKS" "$1" "$2" <<'PYTHON'
import sys
for i in range(int(sys.argv[1])):
    mask = ((i >> 8) << 16 | 0x80008000 | (i & 255)) & 0xffffffff
    print(f"{sys.argv[2]}ip,nw_src=0.0.0.0/{mask >> 24}.{mask >> 16 & 255}.{mask >> 8 & 255}.{mask & 255}"
          f",priority={eval(sys.argv[3])},actions=drop" if sys.argv[2] == "add " else
          f"{sys.argv[2]}ip,nw_src=0.0.0.0/{mask >> 24}.{mask >> 16 & 255}.{mask >> 8 & 255}.{mask & 255}"
          f",priority={eval(sys.argv[3])}")
PYTHON
}
expect() { assert_eq "$(OF=OpenFlow14 ofctl dump-aggregate | grep -o 'flow_count=[0-9]*')" "flow_count=$1" rules; }
add_in_a_bundle() {
    OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/add"
    expect "$MASKS"
}
delete_in_a_bundle() {
    OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/delete"
    expect 0
}
add() { OF=OpenFlow14 ofctl add-flows "$TEST_DIR/add"; }
delete() {
    OF=OpenFlow14 ofctl del-flows
    expect 0
}
for priority in 7 '1+i%50000'; do
    step "priority $priority"
    rules "add " "$priority" >"$TEST_DIR/add"
    rules "delete_strict " "$priority" >"$TEST_DIR/delete"
    short_turns "a bundle of adds" add_in_a_bundle delete
    short_turns "a bundle of deletes" delete_in_a_bundle add_in_a_bundle
    short_turns "adds" add delete
    short_turns "a delete of all" delete add
done
stop_sluice
