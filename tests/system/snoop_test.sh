#!/bin/bash
# ovs-ofctl snoop shows what the switch and its controllers say to each other, of any version; tools cannot do anything else there.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

port=$((20000 + $$ % 20000))
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config "\"fail_mode\": \"secure\", \"inactivity_probe\": 500, \"controllers\": [{\"target\": \"tcp:127.0.0.1:$port\", \"max_backoff\": 1000}]" "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
snoop=unix:$RUN_DIR/br0.snoop
says() { grep -qE "$1" "$TEST_DIR/snoop.log"; }

background snoop env OVS_RUNDIR="$TEST_DIR" ovs-ofctl snoop "$snoop"
snooper=$PID
for version in OpenFlow10:1.0 OpenFlow13:1.3; do
    step "${version%%:*}: both directions are shown"
    background testcontroller ovs-testcontroller -O "${version%%:*}" "ptcp:$port:127.0.0.1" --unixctl="$TEST_DIR/testcontroller.ctl"
    wait_until 20 ping_once h1 10.0.0.2
    of="\\(OF${version#*:}\\)"
    [ "$version" != OpenFlow10:1.0 ] || of=''
    for what in OFPT_FEATURES_REQUEST OFPT_FEATURES_REPLY OFPT_SET_CONFIG OFPT_PACKET_IN OFPT_PACKET_OUT OFPT_FLOW_MOD OFPT_ECHO_REQUEST OFPT_ECHO_REPLY; do
        wait_until 5 says "$what $of"
    done
    end_pid "$PID"
    wait_until 5 eval 'ctl controllers | grep -q backoff'
done

step "what is asked there is not done"
assert_fails ovs-ofctl -t 1 add-flow "$snoop" actions=drop
assert_fails ovs-ofctl -t 1 dump-flows "$snoop"
assert_lacks "$(flows_without_stats)" actions=drop

step "the socket goes with the switch"
end_pid "$snooper"
stop_sluice
[ ! -e "$RUN_DIR/br0.snoop" ] || fail "br0.snoop is still there"
