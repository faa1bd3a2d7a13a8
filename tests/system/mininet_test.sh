#!/bin/bash
# Networks of mininet's OVSSwitch, as its Python API makes them: linear and tree, with and without a controller, no ping lost.
# timeout: 240
# by name only
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
"$PYTHON" -c 'import mininet.net' 2>/dev/null || { echo "lacks mininet: scripts/setup-packages test"; exit 77; }
. "$TEST_LIB/box.sh"

box_make
box_switch
on_exit file /tmp/c0.log # mininet's, of its controller

# mininet's own ways with processes go by names, in its `mn -c`, which is not used.
net() {
    box timeout -k 5 100 "$PYTHON" -W ignore "$TEST_LIB/mininet_nets.py" "$@" >"$TEST_DIR/out" 2>&1 || fail "$*: $(cat "$TEST_DIR/out")"
    cat "$TEST_DIR/out"
    assert_eq "$(box ovs-vsctl list-br)" "" "bridges that are left"
}

step "linear,3, each switch by itself"
net linear,3 standalone none
step "linear,3 of datapath_type netdev"
net linear,3 standalone:user none
step "linear,3 with patch ports between the switches"
net linear,3 standalone none patch
step "linear,3 with a controller"
net linear,3 secure ovs
step "tree,2,2 with a controller"
net tree,2,2 secure ovs
step "tree,2,2, all bridges with one ovs-vsctl"
net tree,2,2 standalone:batch none
step "tree,2,2 with a learning switch on os-ken"
background osken nsenter -t "$BOX_PID" -m -n -- env LEARNING_VERSION=13 osken-manager "$TEST_LIB/learning_switch.py" --ofp-tcp-listen-port 6653
wait_until 20 box bash -c "</dev/tcp/127.0.0.1/6653"
net tree,2,2 secure remote
