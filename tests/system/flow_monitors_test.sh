#!/bin/bash
# ovs-ofctl monitor watch: in every version: initial rules, changes, own ones abbreviated, errors, and a watcher that is paused for not reading.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

sluice_config '"fail_mode": "secure"'
start_sluice
export OVS_RUNDIR=$TEST_DIR

# watch VERSION WHAT...: starts to watch; what it prints is seen by saw
watch() {
    background "watch" ovs-ofctl -O "$1" --unixctl="$TEST_DIR/watch.ctl" monitor "$MGMT" "${@:2}"
    watcher=$PID
    wait_until 5 ovs-appctl -t "$TEST_DIR/watch.ctl" ofctl/barrier
}
saw() { grep -qE -- "$1" "$TEST_DIR/watch.log"; }
events() { grep -c "event=$1" "$TEST_DIR/watch.log" || true; }

for version in OpenFlow10 OpenFlow13 OpenFlow14 OpenFlow15; do
    step "$version: initial, added, modified, removed; one by one and in a bundle"
    ofctl del-flows
    ofctl add-flow 'table=1,priority=7,cookie=5,tcp,tp_dst=80,actions=output:9'
    watch $version watch:
    case $version in OpenFlow10 | OpenFlow13) first=ADDED ;; *) first=INITIAL ;; esac
    wait_until 5 saw "event=$first table=1 cookie=0x5 tcp,tp_dst=80 actions=output:9"
    ofctl add-flow 'priority=9,idle_timeout=900,hard_timeout=1000,in_port=1,actions=output:2'
    wait_until 5 saw 'event=ADDED table=0 idle_timeout=900 hard_timeout=1000 cookie=0 in_port=1 actions=output:2'
    ofctl mod-flows 'in_port=1,actions=output:3'
    wait_until 5 saw 'event=MODIFIED table=0 idle_timeout=900 hard_timeout=1000 cookie=0 in_port=1 actions=output:3'
    ofctl add-flow 'priority=9,idle_timeout=1,in_port=2,actions=output:3'
    wait_until 10 saw 'event=DELETED reason=idle table=0 .* in_port=2 actions=output:3'
    printf 'add priority=4,udp,actions=normal\nmodify table=1,tcp,actions=output:8\ndelete udp\nadd priority=3,ip,actions=normal\n' >"$TEST_DIR/mods"
    OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/mods"
    wait_until 5 saw 'event=ADDED table=0 cookie=0 ip actions=NORMAL'
    wait_until 5 saw 'event=MODIFIED table=1 cookie=0x5 tcp,tp_dst=80 actions=output:8'
    ! saw 'udp' || fail "a rule that never was is told: $(grep udp "$TEST_DIR/watch.log")"
    ofctl del-flows 'table=1'
    wait_until 5 saw 'event=DELETED reason=delete table=1 cookie=0x5 tcp'
    end_pid "$watcher"
done

step "what is asked for: a table, a match, an output port, no initial rules, no actions"
ofctl del-flows
ofctl add-flow 'table=2,ip,nw_src=10.0.0.0/24,actions=output:3'
watch OpenFlow10 'watch:!initial,!actions,table=2,ip,nw_src=10.0.0.0/8,out_port=3'
ofctl add-flow 'table=2,ip,nw_src=10.0.1.0/24,actions=output:3'
ofctl add-flow 'table=2,ip,nw_src=11.0.1.0/24,actions=output:3'
ofctl add-flow 'table=3,ip,nw_src=10.0.1.0/24,actions=output:3'
ofctl add-flow 'table=2,ip,nw_src=10.0.2.0/24,actions=output:4'
ofctl del-flows
wait_until 5 saw 'event=DELETED reason=delete table=2 cookie=0 ip,nw_src=10.0.0.0/24'
wait_until 5 saw 'event=DELETED reason=delete table=2 cookie=0 ip,nw_src=10.0.1.0/24'
assert_eq "$(events ADDED) $(events DELETED)" "1 2" "added and deleted"
assert_lacks "$(cat "$TEST_DIR/watch.log")" actions=
end_pid "$watcher"

step "own changes are abbreviated, one line a request, unless asked for"
own=$("$PYTHON" -c "
import struct
body = struct.pack('!I36x', 0x3820ff) + struct.pack('!QHHHHIHH', 77, 0, 0, 0, 1, 0xffffffff, 0xffff, 0)
print((struct.pack('!BBHI', 1, 14, 8 + len(body), 0xabcd) + body).hex())")
watch OpenFlow10 'watch:!own'
ovs-appctl -t "$TEST_DIR/watch.ctl" ofctl/send "$own"
wait_until 5 saw 'event=ABBREV xid=0xabcd'
ofctl del-flows
wait_until 5 saw 'event=DELETED .*cookie=0x4d'
assert_eq "$(events ADDED)" 0
end_pid "$watcher"
watch OpenFlow10 'watch:'
ovs-appctl -t "$TEST_DIR/watch.ctl" ofctl/send "$own"
wait_until 5 saw 'event=ADDED .*cookie=0x4d'
end_pid "$watcher"
ofctl del-flows

step "the same monitor twice, flags that there are not, cancelled, cancelled again"
watch OpenFlow10 watch:
request() { ovs-appctl -t "$TEST_DIR/watch.ctl" ofctl/send "$1" >/dev/null; }
request 0110002800000012ffff000000002320000000020000000000000000003fffff0000ff0000000000
wait_until 5 saw 'OFPT_ERROR .*MONITOR_EXISTS'
request 0110002800000013ffff000000002320000000020000000000000001008fffff0000ff0000000000
wait_until 5 saw 'OFPT_ERROR .*BAD_FLAGS'
request 0104001400000014000023200000001500000000
ofctl add-flow 'cookie=0x99,actions=drop'
request 0104001400000014000023200000001500000000
wait_until 5 saw 'OFPT_ERROR .*UNKNOWN_MONITOR'
! saw cookie=0x99 || fail "a cancelled monitor goes on"
end_pid "$watcher"
ofctl del-flows

step "a watcher that does not read is paused, others go on; it catches up with what is then"
watch OpenFlow14 watch:
for i in $(seq 40000); do echo "table=$((i % 5)),priority=$i,ip,nw_src=10.$((i / 65536)).$((i / 256 % 256)).$((i % 256)),actions=output:1"; done >"$TEST_DIR/many"
ofctl add-flow 'cookie=0x11,priority=1,actions=output:1'
wait_until 5 saw 'event=ADDED .*cookie=0x11'
kill -STOP "$watcher"
OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/many"
ofctl add-flow 'cookie=0x22,table=7,priority=2,actions=output:2'
ofctl mod-flows 'table=0,priority=1,actions=output:3' # as the first of the rules that it knows
ofctl del-flows 'table=1'
queue=$(ctl --json controllers all | "$PYTHON" -c 'import json,sys; print(max(c["queue_bytes"] for c in json.load(sys.stdin)))')
[ "$queue" -lt $((3 << 20)) ] || fail "$queue bytes wait for the watcher"
kill -CONT "$watcher"
wait_until 60 saw 'event=RESUMED|RESUMED'
saw 'event=PAUSED|PAUSED' || fail "not told of the pause"
wait_until 5 saw 'event=ADDED table=7 cookie=0x22'
wait_until 5 saw 'event=MODIFIED table=0 cookie=0 actions=output:3'
"$PYTHON" - "$TEST_DIR/watch.log" "$(ofctl dump-aggregate | sed 's/.*flow_count=//')" <<'PY'
import re, sys
known = set()
for line in open(sys.argv[1]):
    if (m := re.match(r" event=(\w+) (?:reason=\w+ )?table=(\d+) cookie=\w+ (.*?)actions=", line)):
        (known.discard if m[1] == "DELETED" else known.add)((m[2], m[3]))
assert len(known) == int(sys.argv[2]), (len(known), sys.argv[2])
PY
end_pid "$watcher"
stop_sluice
