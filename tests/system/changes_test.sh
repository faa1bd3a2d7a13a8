#!/bin/bash
# Changes of many objects at once: 300 ports come and go without a long turn, devices change places, one failure stops no other.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "OVS has no such file"; exit 0; }

many=300
tap() { echo "${TEST_ID}m$1"; }
tap_json() { echo "{ \"name\": \"$(tap "$1")\", \"type\": \"tap\"${2:+, $2} }"; }
# two_bridges PORTS PORTS: the ports of br0 and br1, as JSON
two_bridges() {
    sluice_config '"fail_mode": "secure"' "$1"
    sed -i "s|^    \\] } \\]|    ] }, { \"name\": \"br1\", \"fail_mode\": \"secure\", \"ports\": [ $2 ] } ]|" "$TEST_DIR/sluice.json"
}
ofport() { ctl ports "$(tap "$1")" | sed -n 's/.*(\([0-9]*\)).*/\1/p'; }
for i in $(seq 0 "$many"); do on_exit link "$(tap "$i")"; done

sluice_config '"fail_mode": "secure"' "$(tap_json 0)"
start_sluice

step "$many ports come and go, and no turn of the event loop is long"
ports=()
for i in $(seq 0 "$many"); do ports+=("$(tap_json "$i")"); done
come_and_go() {
    local start added removed
    sluice_config '"fail_mode": "secure"' "${ports[@]}"
    start=$(date +%s%N)
    OUTPUT=$(ctl reload)
    added=$((($(date +%s%N) - start) / 1000000))
    [ "$(grep -c "added port" <<<"$OUTPUT")" = "$many" ] || fail "not $many were added: $OUTPUT"
    sluice_config '"fail_mode": "secure"' "$(tap_json 0)"
    start=$(date +%s%N)
    OUTPUT=$(ctl reload)
    removed=$((($(date +%s%N) - start) / 1000000))
    [ "$(grep -c "removed port" <<<"$OUTPUT")" = "$many" ] || fail "not $many were removed: $OUTPUT"
    [ ! -e "/sys/class/net/$(tap "$many")" ] || fail "a port is still there"
    echo "  added in $added ms, removed in $removed ms"
}
short_turns "$many ports" come_and_go

step "two ports of two bridges exchange their devices"
two_bridges "$(tap_json 1 "\"ifname\": \"$(tap 3)\"")" "$(tap_json 2 "\"ifname\": \"$(tap 4)\"")"
ctl reload >/dev/null
two_bridges "$(tap_json 1 "\"ifname\": \"$(tap 4)\"")" "$(tap_json 2 "\"ifname\": \"$(tap 3)\"")"
assert_contains "$(ctl reload)" "br0: replaced port $(tap 1)" "br1: replaced port $(tap 2)"
ip link set "$(tap 3)" down
wait_until 3 eval 'ctl ports br1 | grep -q "$(tap 2).*down"'
ctl ports br0 | grep -q "$(tap 1).*up" || fail "it is not the device of the other port that went down"

step "a port moves to another bridge in one reload"
two_bridges "" "$(tap_json 2 "\"ifname\": \"$(tap 3)\""), $(tap_json 1 "\"ifname\": \"$(tap 4)\"")"
assert_contains "$(ctl reload)" "br0: removed port $(tap 1)" "br1: added port $(tap 1)"

step "a device that fails stops no other, and each object has its error"
two_bridges "$(tap_json 5), { \"name\": \"bad\", \"ofport\": 7, \"type\": \"dpdk\", \"devargs\": \"net_af_packet_q,iface=none-such\" }, $(tap_json 6)" "$(tap_json 2)"
assert_fails ctl reload
assert_contains "$OUTPUT" "br0: added port $(tap 5)" "br0: added port $(tap 6)" "br0: port bad: " "br1: replaced port $(tap 2)"
assert_contains "$(ctl ports br0)" "$(tap 5)" "$(tap 6)"
assert_fails "$SLUICECTL" -t "$RUN_DIR/sluiced.ctl" --json reload
"$PYTHON" - "$OUTPUT" <<'PY'
import json, sys
answer = json.loads(sys.argv[1])
assert answer["failed"] and len(answer["objects"]) == 1, answer
port = answer["objects"][0]
assert (port["object"], port["bridge"], port["port"], port["change"], port["ofport"]) == ("port", "br0", "bad", "none", 0), port
assert "none-such" in port["error"] or "device" in port["error"], port
PY
two_bridges "$(tap_json 5), $(tap_json 6)" "$(tap_json 2)"
assert_contains "$(ctl reload)" "br0: removed port bad"

step "numbers are given, kept over reloads and restarts, and go to who asks for them"
two_bridges "$(tap_json 7), $(tap_json 5), $(tap_json 6)" ""
ctl reload >/dev/null
five=$(ofport 5) six=$(ofport 6) seven=$(ofport 7)
[ "$((six - five))" = 1 ] && [ "$seven" -gt "$six" ] || fail "numbers $five $six $seven"
stop_sluice
start_sluice
[ "$(ofport 5) $(ofport 6) $(ofport 7)" = "$five $six $seven" ] || fail "other numbers after a restart: $(ctl ports)"
two_bridges "$(tap_json 7), $(tap_json 5), $(tap_json 6), $(tap_json 8 "\"ofport\": $five")" ""
assert_contains "$(ctl reload)" "br0: added port $(tap 8)" "br0: replaced port $(tap 5)"
[ "$(ofport 8) $(ofport 6) $(ofport 7)" = "$five $six $seven" ] || fail "numbers moved: $(ctl ports)"
[ "$(ofport 5)" -gt 0 ] && [ "$(ofport 5)" != "$five" ] || fail "no other number: $(ctl ports)"

stop_sluice
