#!/bin/bash
# More flows than there is room for, so that packets miss without end: rules one by one, in a bundle and commands take little longer than
# without them, and misses go on.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

ROUNDS=4
# Whoever computes without a pause, as the switch does here, waits for others that do: there is nothing to be compared then.
read -r busy _ </proc/loadavg
[ "${busy%.*}" -lt 3 ] || { echo "skipped: the machine is busy with other things (load $busy)"; exit 77; }
"$PYTHON" - "$TEST_DIR/storm.pcap" "$TOP/scripts/bench.d" <<'PYTHON'
import sys
sys.path.insert(0, sys.argv[2])
import traffic
traffic.udp(sys.argv[1], 40000)
PYTHON
export DPDK_KEYS='"mbufs": 65535, "mbuf_size": 1024' PMD_KEYS='"megaflow_limit": 5000, "emc_entries": 16384'
sluice_config '"fail_mode": "secure"' \
    "{ \"name\": \"p1\", \"ofport\": 1, \"type\": \"dpdk\", \"mtu\": 800, \"devargs\": \"net_pcap_in,rx_pcap=$TEST_DIR/storm.pcap,infinite_rx=1\" }" \
    '{ "name": "p2", "ofport": 2, "type": "dpdk", "mtu": 800, "devargs": "net_null0,no-rx=1" }'
start_sluice
rest='move:NXM_OF_UDP_SRC[]->NXM_NX_REG0[0..15],move:NXM_OF_IP_SRC[]->NXM_NX_REG1[],move:NXM_OF_IP_DST[]->NXM_NX_REG2[]'
ofctl add-flow "priority=10,in_port=1,udp,actions=$rest,output:2"
for n in 2000 10000; do
    seq "$n" | awk '{printf "priority=100,in_port=1,udp,nw_dst=64.0.%d.%d,actions=output:2\n", $1 / 256, $1 % 256}' >"$TEST_DIR/rules$n"
done

# What is compared is what the switch and its client do to each other, not what other work on the machine does to them: both go before it,
# whether the kernel shares the processor among threads or among sessions.
first() { # COMMAND...
    setsid -w nice -n -20 sh -c '{ echo -20 >/proc/$$/autogroup; } 2>/dev/null || true; exec taskset -c 0 "$@"' sh "$@"
}
{ echo -20 >"/proc/$SLUICE_PID/autogroup"; } 2>/dev/null || true
for task in /proc/"$SLUICE_PID"/task/*; do renice -n -20 -p "$(basename "$task")" >/dev/null; done

now_us() { date +%s%6N; }
misses() { ctl --json flows | "$PYTHON" -c 'import json,sys; print(json.load(sys.stdin)["misses"])'; }
took() { # COMMAND...: microseconds, on the control thread's core
    local start
    start=$(now_us)
    first "$@"
    echo $(($(now_us) - start))
}
forget() { ofctl del-flows udp,nw_dst=64.0.0.0/8; }
least() { if [ -z "${!1:-}" ] || [ "$2" -lt "${!1}" ]; then printf -v "$1" %d "$2"; fi; } # what other work on the machine disturbed least
load() { # idle|storm
    least "single_$1" "$(took ovs-ofctl -t 60 -O OpenFlow13 add-flows "$MGMT" "$TEST_DIR/rules2000")"
    forget
    least "bundle_$1" "$(took ovs-ofctl -t 60 -O OpenFlow14 --bundle add-flows "$MGMT" "$TEST_DIR/rules10000")"
    forget
}

step "rules one by one and in a bundle, in turn without and with the storm"
for _ in $(seq "$ROUNDS"); do
    ofctl mod-port 1 down
    load idle
    ofctl mod-port 1 up
    sleep 0.5
    before=$(misses)
    load storm
    during=$(($(misses) - before))
    [ "$during" -gt 10000 ] || fail "only $during misses: there was no storm"
done
echo "  2000 one by one: $single_idle us, in the storm $single_storm; 10000 in a bundle: $bundle_idle us, $bundle_storm"
# Three to six times, and four to five, where all of this runs on two cores; eight and eight leave room for the machine's other work. Before
# misses came in small steps rules one by one took more than eleven times as long. What is promised is measured by scripts/bench storm.
[ "$single_storm" -lt $((8 * single_idle)) ] || fail "rules one by one: $single_storm us, $single_idle idle"
[ "$bundle_storm" -lt $((8 * bundle_idle)) ] || fail "a bundle: $bundle_storm us, $bundle_idle idle"

step "misses go on while rules come, one by one without a pause"
rate() { # seconds: misses a second
    local start first
    start=$(now_us) first=$(misses)
    sleep "$1"
    echo $((($(misses) - first) * 1000000 / ($(now_us) - start)))
}
alone=$(rate 1)
for _ in $(seq 50); do cat "$TEST_DIR/rules2000"; done >"$TEST_DIR/many"
background many taskset -c 0 ovs-ofctl -t 60 -O OpenFlow13 add-flows "$MGMT" "$TEST_DIR/many"
{ echo -20 >"/proc/$PID/autogroup"; } 2>/dev/null || true
with_rules=$(rate 2)
echo "  misses a second: $alone, $with_rules with rules"
[ "$with_rules" -gt $((alone / 4)) ] || fail "only $with_rules misses a second are left of $alone"
end_pid "$PID"

step "commands"
first "$PYTHON" - "$RUN_DIR/sluiced.ctl" <<'PYTHON'
import socket, statistics, sys, time
control = socket.socket(socket.AF_UNIX)
control.connect(sys.argv[1])
took = []
for _ in range(200):
    time.sleep(0.002)
    start = time.monotonic()
    control.sendall(b'{"id":0,"method":"version","params":[]}')
    control.recv(65536)
    took.append(1e3 * (time.monotonic() - start))
print("  %.2f ms, nine in ten within %.2f" % (statistics.median(took), sorted(took)[180]))
assert statistics.median(took) < 5
PYTHON
stop_sluice
