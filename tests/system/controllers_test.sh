#!/bin/bash
# Real controllers, ovs-testcontroller and os-ken, make hosts ping; one that dies is found again.
# timeout: 150
# OSKEN_APP names another os-ken application than ours, such as os_ken.app.simple_switch_13 where that is installed.
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config "\"fail_mode\": \"secure\", \"controllers\": [{\"target\": \"tcp:127.0.0.1:$port\", \"max_backoff\": 1000}]" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

testcontroller() {
    background testcontroller ovs-testcontroller -v "ptcp:$port:127.0.0.1" --unixctl="$TEST_DIR/testcontroller.ctl" "$@"
}
osken() {
    background osken env LEARNING_VERSION=13 osken-manager --ofp-listen-host 127.0.0.1 --ofp-tcp-listen-port "$port" \
        "${OSKEN_APP:-$TEST_LIB/learning_switch.py}"
}
connected() { ss -Htn state established "( sport = :$port )" | grep -q .; }

# OVS goes on dropping by what it cached when a controller comes that wants table misses: no packet may precede that.
if is_ovs; then
    connected() { sleep 4; }
else
    step "without a controller nothing passes"
    ping_none h1 10.0.0.2
fi

step "ovs-testcontroller (OpenFlow 1.0)"
testcontroller -O OpenFlow10
controller=$PID
wait_until 20 connected
wait_until 10 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2 5
assert_matches "$(ofctl dump-flows)" 'idle_timeout=60.*actions=output:("?p?1"?)'

step "it dies: installed flows go on, the switch tries again, a new one is found"
end_pid "$controller"
ping_ok h1 10.0.0.2
ofctl del-flows
ping_none h1 10.0.0.2
testcontroller -O OpenFlow13
controller=$PID
wait_until 20 connected
wait_until 10 ping_once h1 10.0.0.2
ping_ok h2 10.0.0.1 5
end_pid "$controller"

step "os-ken (OpenFlow 1.3)"
ofctl del-flows
osken
wait_until 30 connected
wait_until 10 ping_once h1 10.0.0.2
ping_ok h1 10.0.0.2 5
flows=$(OF=OpenFlow13 ofctl dump-flows --no-names)
assert_matches "$flows" 'priority=0 actions=CONTROLLER:65535'
assert_matches "$flows" 'in_port=1,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02 actions=output:2'
assert_matches "$flows" 'in_port=2,dl_src=02:00:00:00:00:02,dl_dst=02:00:00:00:00:01 actions=output:1'
assert_lacks "$(cat "$TEST_DIR/osken.log")" Traceback EventOFPErrorMsg

stop_sluice
