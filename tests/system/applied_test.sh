#!/bin/bash
# When a reload is answered, no packet goes by what was before: with tens of thousands of megaflows that a change concerns.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
p1=$(port_json p1 1 h1) p2=$(port_json p2 2 h2)
sluice_config '"fail_mode": "secure"' "$p1" "$p2"
start_sluice
ofctl add-flow priority=0,actions=normal
OF=OpenFlow14 ofctl add-flow 'udp,actions=move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_UDP_DST[]->NXM_NX_REG0[16..31],normal'
wait_until 5 ping_once h1 10.0.0.2 >/dev/null
# Each destination port wants a megaflow of its own.
send_flows() {
    in_ns h1 "$PYTHON" -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 40001):
    try:
        s.sendto(b"x", ("10.0.0.2", port))
    except OSError: # what came back of another
        pass'
    [ "$(ctl flows | awk '$1 == "megaflows" {print $2}')" -ge 20000 ]
}
wait_until 30 send_flows
sluice_config '"fail_mode": "secure"' "$p1" "${p2% \}}, \"tag\": 10 }"
# The dump begins with the turn in which the reload is answered: both are asked for at once.
"$PYTHON" - "$RUN_DIR/sluiced.ctl" >"$TEST_DIR/megaflows" <<'PYTHON'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for i, (method, words) in enumerate([("reload", []), ("dpctl/dump-flows", ["--names"])]):
    s.sendall(json.dumps({"id": i, "method": method, "params": words}).encode())
text, decoder, replies = "", json.JSONDecoder(), []
while len(replies) < 2:
    try:
        reply, end = decoder.raw_decode(text)
    except ValueError: # not whole
        text += s.recv(1 << 20).decode()
        continue
    replies.append(reply)
    text = text[end:]
print(replies[1]["result"])
PYTHON
stale=$(grep -c 'in_port(p1).*udp.*actions:p2' "$TEST_DIR/megaflows" || true)
assert_eq "$stale" 0 "megaflows that still send to p2, of $(grep -c . "$TEST_DIR/megaflows")"
grep -q 'in_port(p1).*udp.*actions:drop' "$TEST_DIR/megaflows" || fail "the test has no meaning: $(head -3 "$TEST_DIR/megaflows")"
