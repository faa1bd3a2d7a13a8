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

number() { # KEY: of "flows"
    ctl --json flows | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['$1'])"
}
quick() { # WHAT: no turn since the last time took the control thread more than 10 ms
    own=$(number longest_turn_own_us)
    echo "  $1: longest turn $own us by its processor time, $(number longest_turn_us) us by the clock"
    [ "$own" -le 10000 ] || failed="$failed $1: $own us;"
    ctl flows clear >/dev/null
}
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
failed=
count() { OF=OpenFlow14 ofctl dump-aggregate | grep -o 'flow_count=[0-9]*'; }
for priority in 7 '1+i%50000'; do
    step "priority $priority"
    rules "add " "$priority" >"$TEST_DIR/add"
    rules "delete_strict " "$priority" >"$TEST_DIR/delete"
    ctl flows clear >/dev/null
    OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/add"
    assert_eq "$(count)" "flow_count=$MASKS" "rules"
    quick "a bundle of adds"
    OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/delete"
    assert_eq "$(count)" "flow_count=0" "rules"
    quick "a bundle of deletes"
    OF=OpenFlow14 ofctl add-flows "$TEST_DIR/add"
    quick "adds"
    OF=OpenFlow14 ofctl del-flows
    assert_eq "$(count)" "flow_count=0" "rules"
    quick "a delete of all"
done
[ -z "$failed" ] || fail "$failed"
stop_sluice
