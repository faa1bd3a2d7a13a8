#!/bin/bash
# Debian's OVN with Sluice as the switch: scripts/ovn-demo, which tries each part of a small network from inside its virtual machines.
# timeout: 300
. "$(dirname "$0")/lib/harness.sh"

command -v ovn-controller >/dev/null || { echo "lacks OVN: scripts/setup-packages ovn"; exit 77; }
! is_ovs || exit 77
step "the demonstration"
export OVN_ID=$TEST_ID OVN_MADE=$TEST_DIR/on_exit
"$TOP/scripts/ovn-demo" --short >"$TEST_DIR/demo" 2>&1 || fail "$(tail -80 "$TEST_DIR/demo")"
assert_contains "$(tail -1 "$TEST_DIR/demo")" "Done in"
step "nothing of it is left"
! ip netns list | grep "^$TEST_ID" || fail "namespaces are left"
