#!/bin/bash
# Packets of a port, counted and in a file: filters, ways, limits, a pipe, a port that goes, files that cannot be written.
# timeout: 90
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
ofctl add-flow in_port=1,actions=output:2
ofctl add-flow in_port=2,actions=output:1

udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=1000,dport=2000)/Raw(b"x"*500)'
other=${udp/dport=2000/dport=3000}
number() { ctl --json capture/show | "$PYTHON" -c 'import json, sys; print(eval(sys.argv[1], {"c": {c["id"]: c for c in json.load(sys.stdin)}}))' "$1"; }
number_is() { [ "$(number "$2")" = "$1" ]; }
# in_file FILE EXPRESSION: of the list of packets `p` in FILE, and when they were sent.
in_file() { "$PYTHON" -c 'import sys; from scapy.all import *; p = rdpcap(sys.argv[1]); now = time.time(); print(eval(sys.argv[2]))' "$1" "$2"; }

step "packets that pass the filter are counted, each way"
ctl capture/start p1 udp,tp_dst=2000
ctl capture/start p2 in
packets h1 "$udp" 20 h2=same
packets h1 "$other" 5 h2=same
wait_until 3 number_is 20 'c[1]["in"]["packets"]'
assert_eq "$(number '(c[1]["in"]["bytes"], c[1]["out"]["packets"])')" "(10840, 0)"
assert_contains "$(ctl capture/show)" "1: br0 p1, in and out, udp,tp_dst=2000: running" "in packets 20 bytes 10840, out packets 0 bytes 0"
assert_contains "$(ctl capture/stop 1)" "stopped" "in packets 20"
ctl capture/stop 2
assert_eq "$(ctl capture/show)" ""

step "a file holds what went by, in order, with the time"
file=$TEST_DIR/both.pcap
id=$(ctl capture/start p2 udp "write=$file" snaplen=100 | grep -o '[0-9]*')
packets h1 "$udp" 30 h2=same
packets h2 "$udp" 10 h1=same
wait_until 3 number_is 40 "c[$id]['written']"
ctl capture/stop "$id"
assert_eq "$(in_file "$file" '(len(p), p[0].wirelen, len(p[0]), sum(x[UDP].dport == 2000 for x in p))')" "(40, 542, 100, 40)"
assert_eq "$(in_file "$file" 'all(a.time <= b.time for a, b in zip(p, p[1:])) and all(0 <= now - x.time < 30 for x in p)')" True
assert_eq "$(stat -c %a "$file")" 600

step "it ends when the file has as many as were asked for"
id=$(ctl capture/start p1 in udp "write=$TEST_DIR/ten.pcap" count=10 | grep -o '[0-9]*')
packets h1 "$udp" 25 h2=same
wait_until 3 number_is True "c[$id]['ended']"
assert_eq "$(number "(c[$id]['written'], c[$id]['state'])")" "(10, 'the file has all packets that were asked for')"
assert_eq "$(in_file "$TEST_DIR/ten.pcap" 'len(p)')" 10
ctl capture/stop "$id"

step "a pipe that is read, and one that is not"
mkfifo "$TEST_DIR/pipe"
assert_fails ctl capture/start p1 "write=$TEST_DIR/pipe"
assert_contains "$OUTPUT" "start what reads the pipe first"
background reader "$PYTHON" -c 'import sys; data = open(sys.argv[1], "rb").read(); print(len(data), flush=True)' "$TEST_DIR/pipe"
piped() { ctl capture/start p1 in udp "write=$TEST_DIR/pipe" "$@"; }
wait_until 3 piped snaplen=64
id=$(number 'max(c)')
packets h1 "$udp" 7 h2=same
wait_until 3 number_is 7 "c[$id]['written']"
ctl capture/stop "$id"
wait_until 3 grep -qx $((24 + 7 * (16 + 64))) "$TEST_DIR/reader.log"
background sleeper "$PYTHON" -c 'import sys, time; f = open(sys.argv[1], "rb"); time.sleep(60)' "$TEST_DIR/pipe"
wait_until 3 piped
id=$(number 'max(c)')
for i in 1 2 3; do packets h1 "$udp" 60 h2=same; done # more than a pipe holds
ping_ok h1 10.0.0.2
assert_contains "$(timeout 5 "$SLUICECTL" -t "$RUN_DIR/sluiced.ctl" capture/stop "$id")" "Resource temporarily unavailable"

step "what cannot be is refused with a reason"
while IFS='|' read -r words why; do
    assert_fails ctl capture/start $words
    assert_contains "$OUTPUT" "$why"
done <<END
p9|p9: no such port
p1 tcp,tp_dst=99999|99999
p1 reg0=1|only ask for what is in the packet
p1 in_port=1|only ask for what is in the packet
p1 write=x.pcap|absolute path
p1 write=$TEST_DIR/no/such/x.pcap|No such file or directory
p1 snaplen=0|from 1 to
p1 count=5|write=FILE
END
assert_fails ctl capture/stop 999
for i in $(seq 16); do ctl capture/start p1 >/dev/null; done
assert_fails ctl capture/start p1
assert_contains "$OUTPUT" "stop one of them first"

step "a port that is removed ends its captures"
"$PYTHON" - "$TEST_DIR/sluice.json" <<'PYTHON'
import json, sys
config = json.load(open(sys.argv[1]))
config["bridges"][0]["ports"] = [p for p in config["bridges"][0]["ports"] if p["name"] != "p1"]
json.dump(config, open(sys.argv[1], "w"))
PYTHON
ctl reload
wait_until 3 number_is 16 'sum(x["state"] == "the port was removed" for x in c.values())'

step "the switch ends with a capture running; its file is whole"
ctl capture/stop "$(number 'max(c)')"
ctl capture/start p2 in udp "write=$TEST_DIR/last.pcap"
packets h2 "$udp" 12 h1=none
stop_sluice
assert_eq "$(in_file "$TEST_DIR/last.pcap" 'len(p)')" 12
