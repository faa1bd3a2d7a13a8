#!/bin/bash
# Tracked connections outlive the process: an end as it should be, a kill, and a file that was changed.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS forgets them"; exit 0; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
file=$RUN_DIR/connections

# Only a SYN begins a connection, and only from port 1.
begin() {
    start_sluice
    ofctl add-flows - <<'FLOWS'
priority=20,arp,actions=NORMAL
priority=10,ip,actions=ct(table=1,zone=5)
table=1,ct_state=+trk+new,in_port=1,tcp,tcp_flags=+syn-ack,actions=ct(commit,zone=5,exec(set_field:7->ct_mark)),output:2
table=1,ct_state=+trk+est,in_port=1,actions=output:2
table=1,ct_state=+trk+est,in_port=2,ct_mark=7,actions=output:1
FLOWS
}
cat >"$TEST_DIR/talk.py" <<'PYTHON'
"""talk.py answer: says how much came, line by line.   talk.py: sends as many bytes as each line of the input says."""
import socket, sys
if sys.argv[1:]:
    server = socket.create_server(("10.0.0.2", 7))
    while True:
        peer = server.accept()[0].makefile("rw")
        for line in iter(peer.readline, ""):
            print(len(line), file=peer, flush=True)
with socket.create_connection(("10.0.0.2", 7)) as sock:
    file = sock.makefile("rw")
    for line in sys.stdin:
        print("x" * (int(line) - 1), file=file, flush=True)
        print(file.readline(), end="", flush=True)
PYTHON
says() { # BYTES: over the connection there is
    local answer
    echo "$1" >&"${talk[1]}"
    read -r -t 20 answer <&"${talk[0]}" || fail "no answer"
    assert_eq "$answer" "$1"
}

begin
background answer ip netns exec "$(ns_name h2)" "$PYTHON" "$TEST_DIR/talk.py" answer
listens() { in_ns h2 ss -ltn | grep -q 10.0.0.2:7; }
wait_until 5 listens
coproc talk { exec ip netns exec "$(ns_name h1)" "$PYTHON" "$TEST_DIR/talk.py"; }
says 10

step "an end as it should be"
stop_sluice
begin
says 20
assert_contains "$(cat "$TEST_DIR"/sluiced*.log)" '1 tracked connections of the process before go on; 0 have timed out since'

step "the command that ovs-ctl restart gives"
appctl exit
wait "$SLUICE_PID" 2>/dev/null || true
begin
says 30
assert_contains "$(cat "$TEST_DIR"/sluiced*.log)" '1 tracked connections of the process before go on'

step "a kill, with far more sent than a window since the file was written"
says 3000000
kill -KILL "$SLUICE_PID"
wait "$SLUICE_PID" 2>/dev/null || true
begin
says 30
assert_matches "$(ctl dpctl/dump-conntrack zone=5)" '^tcp,.*,mark=7,protoinfo=\(state=ESTABLISHED\)$'

step "files that were changed are left, and the log says why"
stop_sluice
cp "$file" "$TEST_DIR/good"
for fault in 'its checksum is wrong:100' 'it is no file of connections:0' 'it is of another version:8' 'the machine was started:48'; do
    mkdir -p "$RUN_DIR" && cp "$TEST_DIR/good" "$file"
    printf '\377' | dd of="$file" bs=1 seek="${fault##*:}" conv=notrunc status=none
    start_sluice
    grep -q "${fault%:*}" "$TEST_DIR"/sluiced*.log || fail "the log does not say: ${fault%:*}"
    assert_eq "$(ctl dpctl/ct-get-nconns)" 0
    stop_sluice
done
mkdir -p "$RUN_DIR"
head -c 150 "$TEST_DIR/good" >"$file"
start_sluice
grep -q 'it is cut short, or too long' "$TEST_DIR"/sluiced*.log || fail "the log does not say that it is cut short"
assert_eq "$(ctl dpctl/ct-get-nconns)" 0
stop_sluice
mkdir -p "$RUN_DIR"
cp "$TEST_DIR/good" "$file"
start_sluice
assert_eq "$(ctl dpctl/ct-get-nconns)" 1
