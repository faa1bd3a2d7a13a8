#!/bin/bash
# Meters by ovs-ofctl over OpenFlow 1.3: rates in packets and bits, DSCP remarking, statistics, errors.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
export OF=OpenFlow13

# flood SECONDS PPS LENGTH TOS: prints how many of the packets came out at h2, how many of them with another TOS, and how long it took, in ms
# Bursts are of a second, so that a sender or a switch that the machine stops for a while loses nothing.
flood() { TEST_ID=$TEST_ID "$PYTHON" "$TEST_LIB/flood.py" h1 h2 "$@"; }
# assert_within GOT WANTED PERCENT WHAT
assert_within() {
    awk -v got="$1" -v wanted="$2" -v percent="$3" 'BEGIN { exit !(got >= wanted * (1 - percent / 100) && got <= wanted * (1 + percent / 100)) }' ||
        fail "$4: $1 instead of $2 within $3 %"
}
meters() { ofctl dump-meters | sed 1d; }
meter_stats() { ofctl meter-stats "meter=$1"; }

# at_rate RATE BURST MS: how many are to pass
at_rate() { echo $(($1 * $3 / 1000 + $2)); }

step "a meter is described as it was added"
ofctl add-meter 'meter=1,pktps,burst,stats,band=type=drop,rate=500,burst_size=500'
assert_contains "$(meters)" 'meter=1 pktps burst stats bands=' 'type=drop rate=500 burst_size=500'
assert_contains "$(ofctl meter-features)" 'max_bands:8' 'drop dscp_remark' 'kbps pktps burst stats'

step "packets per second: what is above the rate is dropped and counted"
ofctl add-flow in_port=1,actions=meter:1,output:2
read -r got _ took <<<"$(flood 4 2000 100 0)"
assert_within "$got" "$(at_rate 500 500 "$took")" 5 "packets at 500/s, burst 500"
out=$(meter_stats 1)
# What the interface of a busy machine had no room for, the meter did not see.
metered=$(sed -n 's/.*packet_in_count:\([0-9]*\).*/\1/p' <<<"$out")
assert_within "$metered" 8000 5 "packets that the meter saw"
assert_contains "$out" 'flow_count:1' "byte_in_count:${metered}00"
dropped=$(sed -n 's/.*0: *packet_count:\([0-9]*\).*/\1/p' <<<"$out")
[ $((got + dropped)) = "$metered" ] || fail "$got passed and $dropped dropped are not $metered: $out"
assert_matches "$(ctl drops)" 'meter'

step "below the rate nothing is dropped"
read -r got _ <<<"$(flood 1 300 100 0)"
assert_eq "$got" 300 "packets below the rate"

step "kbit per second, changed while it is in use"
ofctl mod-meter 'meter=1,kbps,burst,stats,band=type=drop,rate=2000,burst_size=2000'
read -r got _ took <<<"$(flood 4 1000 1000 0)"
assert_within "$got" "$(at_rate 250 250 "$took")" 5 "packets of 1000 bytes at 2 Mbit/s, burst 2 Mbit"

step "a DSCP band raises the drop precedence, a drop band above it drops"
ofctl add-meter 'meter=2,pktps,burst,stats,band=type=dscp_remark,rate=200,burst_size=200,prec_level=1,type=drop,rate=400,burst_size=400'
ofctl mod-flows in_port=1,actions=meter:2,output:2
read -r got remarked took <<<"$(flood 4 1000 100 40)" # AF11
assert_within "$got" "$(at_rate 400 400 "$took")" 5 "packets of both bands"
assert_within "$remarked" "$(at_rate 200 200 "$took")" 7 "remarked packets"
out=$(meter_stats 2)
assert_contains "$out" 'flow_count:1'
assert_within "$(sed -n 's/.*packet_in_count:\([0-9]*\).*/\1/p' <<<"$out")" 4000 5 "packets that the meter saw"
read -r got remarked _ <<<"$(flood 1 1000 100 0)" # no drop precedence: not changed
assert_eq "$remarked" 0 "remarked packets without drop precedence"

step "errors: codes of OFPET_METER_MOD_FAILED"
assert_fails ofctl add-meter 'meter=1,pktps,band=type=drop,rate=5'
assert_contains "$OUTPUT" OFPMMFC_METER_EXISTS
assert_fails ofctl mod-meter 'meter=9,pktps,band=type=drop,rate=5'
assert_contains "$OUTPUT" OFPMMFC_UNKNOWN_METER
assert_fails ofctl add-flow priority=1,actions=meter:9,output:2
assert_contains "$OUTPUT" OFPMMFC_INVALID_METER
OUTPUT=$(ofctl meter-stats meter=9 2>&1 || true)
assert_contains "$OUTPUT" OFPMMFC_UNKNOWN_METER

step "a bundle of meters and rules is done whole or not at all"
cat >"$TEST_DIR/bundle.py" <<'PYTHON'
import socket, struct, sys
from of_peer import *

METER_MOD, BUNDLE_CONTROL, BUNDLE_ADD = 29, 33, 34
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
peer = Peer(sock, version=5)

def meter_mod(command, meter, rate):
    return METER_MOD, struct.pack("!HHI", command, 2, meter) + struct.pack("!HHII4x", 1, 16, rate, 0)

def add_flow(meter, flags=0):
    output = struct.pack("!HHIH6x", 0, 16, 2, 0)
    instructions = struct.pack("!HHI", 6, 8, meter) + struct.pack("!HH4x", 4, 8 + len(output)) + output
    return FLOW_MOD, struct.pack("!QQBBHHHIIIHHHH4x", 0, 0, 0, 0, 0, 0, 9, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, flags, 0, 1, 4) + instructions

def bundle(number, *messages):
    """Commits it; returns the type of the switch's answer."""
    def control(kind):
        return peer.send(BUNDLE_CONTROL, struct.pack("!IHH", number, kind, 3))
    peer.expect(BUNDLE_CONTROL, control(0))
    for kind, body in messages:
        xid = peer.xid + 1
        peer.send(BUNDLE_ADD, struct.pack("!I2xH", number, 3) + struct.pack("!BBHI", 5, kind, 8 + len(body), xid) + body)
    xid = control(4)
    while (message := peer.next(20))[1] != xid:
        pass
    return message[0]

assert bundle(1, meter_mod(0, 7, 100), add_flow(7)) == BUNDLE_CONTROL
assert bundle(2, meter_mod(1, 7, 300), meter_mod(2, 2, 1), meter_mod(0, 8, 1), add_flow(7, flags=2)) == ERROR
assert bundle(3, meter_mod(0, 9, 1), meter_mod(2, 9, 1), meter_mod(1, 7, 200)) == BUNDLE_CONTROL
PYTHON
before=$(meter_stats 2 | sed 's/duration:[^ ]*//')
PYTHONPATH=$TEST_LIB timeout 30 "$PYTHON" "$TEST_DIR/bundle.py" "${MGMT#unix:}"
assert_eq "$(meter_stats 2 | sed 's/duration:[^ ]*//')" "$before" "statistics after a bundle that failed"
assert_eq "$(meters | grep -c meter=)" 3 "meters"
assert_contains "$(ofctl dump-meters meter=7)" 'type=drop rate=200'
assert_contains "$(meter_stats 7)" 'flow_count:1'
ofctl del-meter meter=7

step "a deleted meter takes its rules along"
ofctl add-flow in_port=2,actions=output:1
ofctl del-meter meter=2
assert_matches "$(ofctl dump-aggregate)" 'flow_count=1$'
ofctl del-meters
assert_eq "$(meters)" ""

stop_sluice
