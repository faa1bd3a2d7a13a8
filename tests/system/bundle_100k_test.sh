#!/bin/bash
# 100 000 rules in one bundle: loaded, dumped identical, matched by traffic, deleted; traffic flows throughout.
# timeout: 180
. "$(dirname "$0")/lib/harness.sh"

RULES=${RULES:-100000}
host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
host_make h3 10.0.0.3/24 02:00:00:00:00:03
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)" "$(port_json p3 3 h3)"
start_sluice

# Rules as ovs-ofctl prints them, so that the dump can be compared as text as well.
"$PYTHON" - "$RULES" >"$TEST_DIR/rules" <<'PYTHON'
import sys
for i in range(int(sys.argv[1])):
    out = 2 + i % 2
    n = i // 5
    a, b, c = n >> 16 & 255, n >> 8 & 255, n & 255
    print((
        "priority=100,udp,nw_dst=10.%d.%d.%d actions=output:%d" % (64 + a, b, c, out),
        "priority=200,udp,nw_src=172.16.0.0/12,tp_dst=%d,nw_dst=11.%d.0.0/16 actions=output:%d" % (n % 65536, a, out),
        "priority=300,dl_dst=02:aa:00:%02x:%02x:%02x actions=output:%d" % (a, b, c, out),
        "priority=400,in_port=1,tcp,nw_dst=12.%d.%d.%d,tp_dst=80 actions=dec_ttl,output:%d" % (a, b, c, out),
        "priority=500,tcp6,ipv6_dst=2001:db8:%x:%x::/64 actions=output:%d" % (a + 1, b * 256 + c + 1, out),
    )[i % 5])
PYTHON

step "base rules and a ping that runs all the time"
ofctl add-flow priority=65000,icmp,in_port=1,actions=output:2
ofctl add-flow priority=65000,icmp,in_port=2,actions=output:1
ofctl add-flow priority=65000,arp,actions=flood
ping_ok h1 10.0.0.2
background ping ip netns exec "$(ns_name h1)" ping -n -i 0.1 -W 1 10.0.0.2
ping_pid=$PID

step "load"
begin=$(date +%s%N)
OF=OpenFlow14 ofctl --bundle add-flows "$TEST_DIR/rules"
echo "  $((($(date +%s%N) - begin) / 1000000)) ms"

step "count and content"
assert_contains "$(ofctl dump-aggregate)" "flow_count=$((RULES + 3))"
begin=$(date +%s%N)
flows_without_stats >"$TEST_DIR/dump"
echo "  dumped in $((($(date +%s%N) - begin) / 1000000)) ms"
# The fields of a rule in alphabetical order: their order in the text is the printer's business.
canonical() {
    awk '{n = split($1, f, ","); for (i = 2; i <= n; i++) {for (j = i; j > 1 && f[j] < f[j-1]; j--) {t = f[j]; f[j] = f[j-1]; f[j-1] = t}}
          s = f[1]; for (i = 2; i <= n; i++) s = s "," f[i]; print s, $2}' "$1" | sort
}
grep -v priority=65000 "$TEST_DIR/dump" >"$TEST_DIR/dump-rules"
assert_eq "$(wc -l <"$TEST_DIR/dump-rules")" "$RULES" "rules in the dump"
diff <(canonical "$TEST_DIR/rules") <(canonical "$TEST_DIR/dump-rules") >"$TEST_DIR/diff" || true
[ ! -s "$TEST_DIR/diff" ] || fail "dump differs: $(head -5 "$TEST_DIR/diff")"
{ cat "$TEST_DIR/rules"; grep priority=65000 "$TEST_DIR/dump"; } >"$TEST_DIR/all"
assert_eq "$(ofctl diff-flows "$TEST_DIR/all" || true)" "" "diff-flows"

step "traffic hits the rule it should"
cat >"$TEST_DIR/traffic.py" <<'PYTHON'
import random, struct, sys, time
from packet import Host

def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xffff) + (total >> 16)
    return ~(total + (total >> 16)) & 0xffff

def frame(dst):
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, bytes([10, 0, 0, 1]), dst)
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return bytes.fromhex("0200000000ee0200000000010800") + ip + struct.pack("!HHHH", 1, 2, 26, 0) + b"sluice-bundle-test"

rules, expect_some = int(sys.argv[1]), sys.argv[2] == "matched"
h1, receivers = Host("h1"), {2: Host("h2"), 3: Host("h3")}
random.seed(7)
picked = random.sample(range(0, rules, 5), min(500, rules // 5))
for i in picked:
    n = i // 5
    h1.send(frame(bytes([10, 64 + (n >> 16), n >> 8 & 255, n & 255])))
    time.sleep(0.001)
time.sleep(1)
wrong = 0
for out, host in receivers.items():
    got = sorted(f[30:34] for f in host.receive(0) if f.endswith(b"sluice-bundle-test"))
    want = sorted(bytes([10, 64 + (i // 5 >> 16), i // 5 >> 8 & 255, i // 5 & 255]) for i in picked if 2 + i % 2 == out)
    if got != (want if expect_some else []):
        print("port %d: %d packets, %d expected" % (out, len(got), len(want) if expect_some else 0))
        wrong = 1
sys.exit(wrong)
PYTHON
TEST_ID=$TEST_ID "$PYTHON" "$TEST_DIR/traffic.py" "$RULES" matched
wait_until 5 rule_packets_are 500 udp

step "delete"
ofctl del-flows udp
ofctl del-flows dl_dst=02:aa:00:00:00:00/ff:ff:00:00:00:00
ofctl del-flows tcp
ofctl del-flows tcp6
assert_contains "$(ofctl dump-aggregate)" "flow_count=3"
TEST_ID=$TEST_ID "$PYTHON" "$TEST_DIR/traffic.py" "$RULES" unmatched

step "the ping lost nothing"
kill -INT "$ping_pid"
wait_until 3 grep -q 'packets transmitted' "$TEST_DIR/ping.log"
grep 'packets transmitted' "$TEST_DIR/ping.log" | sed 's/^/  /'
grep -q ' 0% packet loss' "$TEST_DIR/ping.log" || fail "ping lost packets"

stop_sluice
