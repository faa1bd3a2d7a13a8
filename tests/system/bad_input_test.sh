#!/bin/bash
# What must not hurt: broken configurations, impossible ones, garbage on every socket, malformed packets, clients that do not read.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

is_ovs || {
    step "--check: each fault on a line of its own, with file, line and path"
    check_fails() { # TEXT PART...: JSON text and what the faults must contain
        printf '%s' "$1" >"$TEST_DIR/broken.json"
        shift
        assert_fails "$SLUICED" --check "$TEST_DIR/broken.json"
        assert_matches "$OUTPUT" "^$TEST_DIR/broken.json(:[0-9]+)?: "
        assert_contains "$OUTPUT" "$@"
        assert_lacks "$OUTPUT" Sanitizer 'core dumped'
    }
    ports() { printf '{"pmd":{"cores":[1]},"bridges":[{"name":"br0","ports":[%s]}]}' "$1"; }
    check_fails ''
    check_fails '{'
    check_fails '[]'
    check_fails '{"pmd":{"cores":[1]},"bridges":[],}'
    check_fails '{"bridges":[]}' pmd
    check_fails '{"pmd":{"cores":[]},"bridges":[]}' pmd.cores
    check_fails '{"pmd":{"cores":["one"]},"bridges":[]}' 'pmd.cores[0]'
    check_fails '{"pmd":{"cores":[-1]},"bridges":[]}' 'pmd.cores[0]'
    check_fails '{"pmd":{"cores":[1],"max_sleep_us":-5},"bridges":[]}' pmd.max_sleep_us
    check_fails '{"pmd":{"cores":[1],"max_sleep":5},"bridges":[]}' pmd.max_sleep
    check_fails '{"pmd":{"cores":[1]},"bridges":[{"ports":[]}]}' 'bridges[0]'
    check_fails '{"pmd":{"cores":[1]},"bridges":[{"name":"br0","fail_mode":"maybe","ports":[]}]}' 'bridges[0].fail_mode' secure standalone
    check_fails '{"pmd":{"cores":[1]},"bridges":[{"name":"br0","controllers":["carrier-pigeon"],"ports":[]}]}' 'bridges[0].controllers[0]'
    check_fails '{"pmd":{"cores":[1]},"bridges":[{"name":"br0","datapath_id":"xyz","ports":[]}]}' 'bridges[0].datapath_id'
    check_fails "$(ports '{"name":"p1","type":"dpdk"}')" 'bridges[0].ports[0]' devargs
    check_fails "$(ports '{"name":"p1","type":"floppy"}')" 'bridges[0].ports[0].type'
    check_fails "$(ports '{"name":"p1","type":"tap","colour":"red"}')" 'bridges[0].ports[0].colour'
    check_fails "$(ports '{"name":"p1","type":"tap","ofport":0}')" 'bridges[0].ports[0].ofport'
    check_fails "$(ports '{"name":"p1","type":"tap","ofport":1},{"name":"p1","type":"tap","ofport":1}')" 'bridges[0].ports[1].name' 'bridges[0].ports[1].ofport'
    check_fails "$(ports '{"name":"p1","type":"vhost-user","mode":"client"}')" 'bridges[0].ports[0]' path
    check_fails "$(ports '{"name":"p1","type":"tap","mtu":1000000}')" 'bridges[0].ports[0].mtu'
    check_fails "$(head -c 100000 /dev/zero | tr '\0' '[')"
    assert_fails "$SLUICED" --check "$TEST_DIR/not-there.json"
    assert_contains "$OUTPUT" not-there.json
    for sample in "$TOP"/config/*.json; do
        case $sample in *.schema.json) ;; *) "$SLUICED" --check "$sample" >/dev/null ;; esac
    done

    step "failures at start name what to do"
    start_fails() { # PART...: with the present sluice.json
        assert_fails timeout 30 "$SLUICED" "$TEST_DIR/sluice.json"
        assert_contains "$OUTPUT" "$@"
    }
    PMD_CORE_SAVED=$PMD_CORE PMD_CORE=777
    sluice_config '"fail_mode": "secure"'
    start_fails 777
    PMD_CORE=$PMD_CORE_SAVED
    RUN_DIR_SAVED=$RUN_DIR RUN_DIR=/dev/null/run
    sluice_config '"fail_mode": "secure"'
    start_fails /dev/null/run
    RUN_DIR=$RUN_DIR_SAVED
    assert_fails "$SLUICED"
    assert_fails "$SLUICED" --no-such-option
    "$SLUICED" --help >/dev/null
    "$SLUICED" --version >/dev/null
}

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
rules() { # also after garbage, which may well contain a valid message
    ofctl del-flows
    ofctl add-flow priority=10,in_port=1,actions=output:2
    ofctl add-flow priority=10,in_port=2,actions=output:1
    ofctl add-flow priority=20,in_port=1,tcp,tp_dst=9,actions=drop
    ofctl add-flow priority=20,in_port=1,ipv6,ipv6_dst=2001:db8::/32,actions=drop
}
rules
ping_ok h1 10.0.0.2
alive() {
    sluice_runs || fail "sluiced died: $1"
    ping_ok h1 10.0.0.2 2
    sluice_answers >/dev/null
    ofctl dump-aggregate >/dev/null
}

step "garbage on the OpenFlow socket"
"$PYTHON" - "$RUN_DIR/br0.mgmt" <<'PYTHON'
import os, random, socket, struct, sys
random.seed(1)
LIFE = b"sign of life"
def talk(data, version=None):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.3)
    s.connect(sys.argv[1])
    got = b""
    try:
        if version:
            s.sendall(struct.pack("!BBHI", version, 0, 8, 1))
        s.sendall(data)
        while LIFE not in got:
            part = s.recv(65536)
            if not part:
                break
            got += part
    except OSError:
        pass
    s.close()
    return got
def message(kind, body=b"", version=4, length=None, xid=5):
    return struct.pack("!BBHI", version, kind, 8 + len(body) if length is None else length, xid) + body
for _ in range(20):
    talk(random.randbytes(random.randrange(1, 3000)))
talk(b"")
talk(message(0, version=0))                       # no such version
talk(message(0, version=99, length=4))            # shorter than its header
talk(message(0, length=65535))                    # a body that never comes
talk(message(0, length=0) * 100)
for version in (1, 4, 5):
    for kind in range(0, 36):
        for body in (b"", random.randbytes(4), random.randbytes(48), bytes(200), b"\xff" * 200):
            talk(message(kind, body, version) + message(2, LIFE, version, xid=9), version)
    # A whole session of well-framed nonsense.
    session = b"".join(message(random.randrange(1, 30), random.randbytes(8 * random.randrange(0, 30)), version) for _ in range(500))
    talk(session + message(2, LIFE, version, xid=9), version)
# An unknown type gets OFPET_BAD_REQUEST with the same xid, and the connection lives (OpenFlow 1.3.5, 7.5.4.2).
answer = talk(message(250, b"", 4, xid=0x77) + message(2, LIFE, 4, xid=0x78), 4)
assert struct.pack("!BB", 4, 1) in answer and LIFE in answer, answer
PYTHON
rules
alive "garbage on OpenFlow"

step "an OpenFlow client that asks and does not read"
ofctl add-flows - < <(for i in $(seq 1 20000); do echo "priority=5,udp,nw_dst=20.$((i >> 8)).$((i & 255)).1,actions=drop"; done)
"$PYTHON" - "$RUN_DIR/br0.mgmt" <<'PYTHON' &
import socket, struct, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.setblocking(False)
s.send(struct.pack("!BBHI", 4, 0, 8, 1))
request = struct.pack("!BBHIHHIB3xII4xQQHH4x", 4, 18, 56, 2, 1, 0, 0, 255, 0xffffffff, 0xffffffff, 0, 0, 1, 4)
end = time.time() + 3
while time.time() < end:
    try:
        s.send(request)
    except BlockingIOError:
        time.sleep(0.01)
time.sleep(6)
PYTHON
reader=$!
on_exit pid "$reader"
sleep 3.5 # by now nothing more goes in or out
is_ovs || {
    before=$(ctl --json flows | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["turns"])')
    sleep 1
    after=$(ctl --json flows | "$PYTHON" -c 'import json, sys; print(json.load(sys.stdin)["turns"])')
    [ "$after" -gt "$before" ] || fail "the control thread only looks at the client that does not read"
}
alive "a client that does not read"
wait "$reader"
memory=$(awk '/VmRSS/ {print int($2 / 1024)}' "/proc/$SLUICE_PID/status")
echo "  resident: $memory MB"
ofctl del-flows udp

step "garbage on the control socket"
"$PYTHON" - "$RUN_DIR/sluiced.ctl" <<'PYTHON'
import random, socket, sys
random.seed(2)
def talk(data):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(0.2)
    s.connect(sys.argv[1])
    try:
        s.sendall(data)
        while s.recv(65536):
            pass
    except OSError:
        pass
    s.close()
for _ in range(20):
    talk(random.randbytes(random.randrange(1, 2000)))
talk(b"[" * 100000)
talk(b'{"a":' * 50000)
talk(b'"' + b"x" * 3000000)
for text in ('{}', '{"id":0}', '{"id":0,"method":5,"params":[]}', '{"id":0,"method":"version"}', '{"id":0,"method":"version","params":{}}',
             '{"id":0,"method":"version","params":[1,null,{}]}', '{"id":[[]],"method":"ofproto/trace","params":["br0"]}', '[1,2]', 'null', '}',
             '{"id":0,"method":"ofproto/trace","params":["br0","%s"]}' % ("in_port=1," * 20000),
             '{"id":0,"method":"ofproto/trace","params":["%s","x"]}' % ("b" * 100000),
             '{"id":0,"method":"%s","params":[]}' % ("m" * 100000),
             '{"id":0,"method":"ofproto/trace","params":["br0","in_port=1,ip,nw_dst=999.1.1.1/99"]}',
             '{"id":0,"method":"ofproto/trace","params":["br0","\\u0000\\ud83d\\ude00"]}'):
    talk(text.encode())
PYTHON
alive "garbage on the control socket"

step "malformed packets are forwarded or dropped, and the next ones pass"
cat >"$TEST_DIR/malformed.py" <<'PYTHON'
import random, struct, time
from packet import Host
random.seed(3)
h1 = Host("h1")
ether = bytes.fromhex("020000000002" "020000000001")
def ip(body=b"", ihl=5, total=None, proto=17, frag=0, version=4):
    return struct.pack("!BBHHHBBH4s4s", version << 4 | ihl, 0, 20 + len(body) if total is None else total, 1, frag, 64, proto, 0,
                       bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])) + body
frames = [ether + struct.pack("!H", kind) + random.randbytes(n)
          for kind in (0x0800, 0x86dd, 0x0806, 0x8100, 0x88a8, 0x8847, 0x8848, 0x0005, 0x05dc, 0x0000, 0xffff)
          for n in (0, 1, 2, 3, 4, 7, 8, 19, 20, 27, 39, 40, 41, 59, 100)]
v4 = ether + b"\x08\x00"
frames += [v4 + ip(ihl=i) for i in range(16)] + [v4 + ip(ihl=15, total=60)]
frames += [v4 + ip(total=t) for t in (0, 19, 21, 1500, 65535)]
frames += [v4 + ip(random.randbytes(n), proto=p) for n in range(0, 24) for p in (1, 6, 17, 58, 132)]
frames += [v4 + ip(struct.pack("!HHIIBB", 1, 2, 3, 4, off << 4, 255) + bytes(6), proto=6) for off in range(16)]
frames += [v4 + ip(bytes(8), frag=f) for f in (0x2000, 0x2001, 1, 0x1fff, 0x8000)] + [v4 + ip(version=v) for v in (0, 5, 6, 15)]
v6 = ether + b"\x86\xdd"
def ip6(body, following, length=None):
    return struct.pack("!IHBB", 6 << 28, len(body) if length is None else length, following, 64) + bytes(32) + body
for header in (0, 43, 44, 50, 51, 59, 60, 135, 6, 17, 58, 132):
    frames += [v6 + ip6(random.randbytes(n), header) for n in (0, 1, 7, 8, 16)] + [v6 + ip6(bytes([header, 255]) + bytes(6), header)]
    frames += [v6 + ip6(bytes([header, 0] + [0] * 6) * 100, header)]
frames += [v6 + ip6(bytes(8), 17, length) for length in (0, 7, 9, 65535)]
frames += [ether + (b"\x81\x00\x00\x05" * n) for n in range(1, 60)] + [ether + b"\x88\x47" + b"\x00\x00\x10\x40" * n for n in range(1, 60)]
frames += [v4 + ip(struct.pack("!HHIIHHHH", 1, 9, 0, 0, 0x5002, 0, 0, 0), proto=6)] # for the rule that drops
frames += [bytes([0] * 6) + bytes(8), b"\xff" * 60, bytes(60), ether + b"\x08\x06" + bytes(28), ether + b"\x08\x06" + b"\xff" * 28]
for _ in range(2):
    for frame in frames:
        if len(frame) >= 14:
            h1.send(frame[:1514])
            time.sleep(0.0002)
print("  %d frames" % (2 * len(frames)))
PYTHON
TEST_ID=$TEST_ID "$PYTHON" "$TEST_DIR/malformed.py"
alive "malformed packets"
packets h1 'Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=5,dport=7)/Raw(b"after-malformed-packets")' 20 h2=same
is_ovs || assert_contains "$(ctl drops)" policy

stop_sluice
