#!/bin/bash
# The control socket by sluicectl and by ovs-appctl: what each command prints, as text and as JSON.
# timeout: 60
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure"' "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice
OF=OpenFlow13 ofctl add-flow 'table=0,priority=10,cookie=0xab,ip,in_port=1,nw_dst=10.0.0.0/24,actions=set_field:0x5->metadata,goto_table:3'
OF=OpenFlow13 ofctl add-flow 'table=3,priority=20,metadata=0x5,udp,udp_dst=53,actions=dec_ttl,output:2'
ofctl add-flow 'table=0,priority=5,arp,actions=normal'
ofctl add-flow 'table=0,priority=4,in_port=2,actions=drop'
udp='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=5,dport=53)/Raw(b"control-socket-test")'

step "version, list-commands"
assert_matches "$(appctl version)" '[0-9]+\.[0-9]+'
commands=$(appctl list-commands)
assert_contains "$commands" ofproto/trace dpctl/dump-flows fdb/show list-commands version exit

step "ofproto/trace: tables, rules, final flow, megaflow, datapath actions, in OVS's format"
for client in ctl appctl; do
    trace=$($client ofproto/trace br0 'in_port=1,udp,dl_src=02:00:00:00:00:01,dl_dst=02:00:00:00:00:02,nw_src=10.0.0.1,nw_dst=10.0.0.9,nw_ttl=64,udp_dst=53')
    assert_contains "$trace" 'Flow: udp,in_port=1' 'bridge("br0")' '-------------' 'priority 10, cookie 0xab' 'goto_table:3' \
        'priority 20' 'output:2' 'Final flow: ' 'Megaflow: recirc_id=0,' 'Datapath actions: '
    assert_matches "$trace" '^ 0\. ip,in_port=1,nw_dst=10\.0\.0\.0/24, priority 10, cookie 0xab$'
    assert_matches "$trace" '^ 3\. udp,metadata=0x5,tp_dst=53, priority 20$'
    assert_matches "$trace" '^Megaflow: .*nw_dst=10\.0\.0\.0/24.*tp_dst=53'
    assert_lacks "$(grep ^Megaflow: <<<"$trace")" dl_src tp_src=
done
trace=$(ctl ofproto/trace br0 in_port=2,tcp,tp_dst=7)
assert_matches "$trace" '^ 0\. in_port=2, priority 4$'
assert_matches "$trace" '^Datapath actions: drop$'
trace=$(ctl ofproto/trace br0 in_port=1,ip,nw_dst=10.1.0.1)
assert_matches "$trace" '^ 0\. No match'
assert_matches "$trace" '^Datapath actions: drop$'

step "dpctl/dump-flows after traffic"
packets h1 "$udp" 20 'h2=p[IP].ttl==63'
flows=$(ctl dpctl/dump-flows --names)
assert_matches "$flows" 'recirc_id\(0\),in_port\(.*eth_type\(0x0800\),ipv4\(.*dst=10\.0\.0\.[0-9./]+.*proto=17.*udp\(dst=53\).*packets:[0-9]+, bytes:[0-9]+, used:[0-9.]+s, actions:.*'

step "fdb/show"
in_ns h1 arping -c 1 -I eth0 10.0.0.2 >/dev/null 2>&1 || in_ns h1 ping -c 1 -W 1 10.0.0.2 >/dev/null || true
assert_matches "$(ctl fdb/show br0)" '^ *1 +0 +02:00:00:00:00:01 +[0-9]+$'

step "errors: unknown command, unknown bridge, malformed flow, wrong number of words"
assert_fails ctl no-such-command
assert_contains "$OUTPUT" 'no-such-command'
assert_fails appctl no-such-command
assert_fails ctl ofproto/trace nobridge in_port=1
assert_fails ctl ofproto/trace br0 no_such_field=1
assert_fails ctl ofproto/trace
assert_fails ctl fdb/show nobridge

if ! is_ovs; then
    step "Sluice's own: ports, bridges, pmd, drops, caches, flows"
    assert_contains "$commands" ports pmd drops caches flows
    assert_contains "$(ctl ports)" p1 p2
    assert_contains "$(ctl bridges)" br0
    assert_contains "$(ctl pmd)" "$PMD_CORE" cycles
    packets h2 "Ether(src='02:00:00:00:00:02',dst='02:00:00:00:00:01',type=0x88b5)/Raw(b'dropped-by-a-rule-here')" 5 h1=none
    assert_contains "$(ctl drops)" policy
    ctl caches >/dev/null
    ctl flows >/dev/null
    appctl ports >/dev/null

    step "a packet that ends is counted under what ended it, and the trace names the same reason"
    ended() { # REASON FLOW ACTIONS: what a packet of that flow comes to
        ofctl add-flow "priority=100,in_port=2,udp,$2,actions=$3"
        packets h2 "Ether(src='02:00:00:00:00:02',dst='02:00:00:00:00:01')/IP(src='10.0.0.2',dst='10.0.0.1',ttl=1)/UDP(dport=${2#*=})/Raw(b'ended-for-a-reason')" 5 h1=none
        assert_matches "$(ctl drops)" "^$1 +[5-9] " # other packets may end too
    }
    ended action_ttl tp_dst=1001 dec_ttl,output:1
    ended no_controller tp_dst=1002 CONTROLLER
    ended output_unknown tp_dst=1003 output:77
    ended output_input tp_dst=1004 output:2
    ended no_rule tp_dst=1005 'resubmit(,7)'
    ended xlate_loop tp_dst=1006 'resubmit(,0)'
    for reason in output_unknown:1003 output_input:1004 no_rule:1005 xlate_loop:1006; do
        assert_matches "$(ctl ofproto/trace br0 "in_port=2,udp,tp_dst=${reason#*:}")" "^Drop reason: ${reason%:*} "
    done

    step "JSON of every command parses and says the same"
    for command in ports bridges pmd drops 'drops all' caches flows metrics dpctl/dump-flows fdb/show list-commands version 'ofproto/trace br0 in_port=2'; do
        # shellcheck disable=SC2086
        ctl --json $command >"$TEST_DIR/json"
        "$PYTHON" -m json.tool "$TEST_DIR/json" >/dev/null || fail "$command: $(head -c 300 "$TEST_DIR/json")"
    done
    ctl --json ports >"$TEST_DIR/json"
    assert_contains "$(cat "$TEST_DIR/json")" '"p1"' '"p2"'
    ctl --json drops all >"$TEST_DIR/json"
    assert_contains "$(cat "$TEST_DIR/json")" '"policy"' '"miss_ring_full"' '"tx_queue_full"'

    step "the same numbers as OpenMetrics"
    ctl metrics >"$TEST_DIR/metrics"
    ctl --json ports >"$TEST_DIR/json"
    "$PYTHON" - "$TEST_DIR/metrics" "$TEST_DIR/json" <<'PYTHON'
import json, re, sys
lines = open(sys.argv[1]).read().split("\n")
assert lines[-2:] == ["# EOF", ""], lines[-2:]
types, samples, family = {}, {}, None
for line in lines[:-2]:
    if line.startswith("# TYPE "):
        family, kind = line.split()[2:]
        assert family not in types, "two families are called " + family
        types[family] = kind
    elif line.startswith("# HELP "):
        assert line.split()[2] == family and len(line.split()) > 3, line
    else:
        name, labels, value = re.fullmatch(r'(\w+)((?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})?) (\d+)', line).groups()
        assert name == family + {"counter": "_total", "gauge": ""}[types[family]], line
        assert (name, labels) not in samples, "twice: " + line
        samples[name, labels] = int(value)
ports = {port["name"]: port for port in json.load(open(sys.argv[2]))}
for name in "p1", "p2":
    sent = samples["sluice_port_tx_packets_total", '{bridge="br0",port="%s"}' % name]
    assert 0 < sent <= ports[name]["tx"]["packets"], (sent, ports[name])
assert samples["sluice_drop_packets_total", '{reason="policy"}'] > 0
assert samples["sluice_bridge_ports", '{bridge="br0"}'] == 2
assert samples["sluice_tables_megaflows", ""] >= 0
PYTHON

    step "many clients at once, and one that hangs up half-way"
    "$PYTHON" - "$RUN_DIR/sluiced.ctl" <<'PYTHON'
import json, socket, sys
def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(5)
    s.connect(sys.argv[1])
    return s
clients = [connect() for _ in range(50)]
for s in clients[::2]:
    s.sendall(b'{"id":0,"method":"vers')
for s in clients[1::2]:
    s.sendall(b'{"id":7,"method":"version","params":[]}')
for s in clients[1::2]:
    answer = json.loads(s.recv(65536))
    assert answer["id"] == 7 and answer["error"] is None and answer["result"].endswith("\n"), answer
for s in clients[::4]:
    s.close()
for s in clients[2::4]:
    s.sendall(b'ion","params":[]}{"id":1,"method":"version","params":[]}')
    text = b""
    while text.count(b'"id"') < 2:
        text += s.recv(65536)
PYTHON
fi

step "exit ends it"
appctl exit
wait_until 3 eval '! sluice_runs'
[ ! -e "$RUN_DIR/sluiced.ctl" ] || fail "sluiced.ctl is left behind"

is_ovs || {
    step "it comes last: whoever sees it finds the OpenFlow sockets of all bridges"
    "$PYTHON" - "$TEST_DIR/sluice.json" <<'PYTHON'
import json, sys
with open(sys.argv[1]) as file:
    config = json.load(file)
config["bridges"] = [{"name": "b%u" % i, "ports": [], "listen": ["punix:%s/b%u.of" % (config["run_dir"], i)]} for i in range(60)]
with open(sys.argv[1], "w") as file:
    json.dump(config, file)
PYTHON
    cat >"$TEST_DIR/watch.py" <<'PYTHON'
import os, socket, sys, time
run_dir = sys.argv[1]
print("watching", flush=True)
end = time.monotonic() + 60
while not os.path.exists(run_dir + "/sluiced.ctl"):
    assert time.monotonic() < end, "no control socket within 60 s"
lacking = []
for name in ["b%u.%s" % (i, kind) for i in range(60) for kind in ("mgmt", "snoop", "of")]:
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect("%s/%s" % (run_dir, name))
    except OSError as error:
        lacking.append("%s: %s" % (name, error.strerror))
    s.close()
print("lacking: " + "; ".join(lacking[:3]) if lacking else "all there", flush=True)
PYTHON
    background watch "$PYTHON" "$TEST_DIR/watch.py" "$RUN_DIR"
    wait_until 10 grep -q watching "$TEST_DIR/watch.log"
    start_sluice
    wait_until 10 grep -q 'there\|lacking' "$TEST_DIR/watch.log"
    assert_contains "$(cat "$TEST_DIR/watch.log")" "all there"
    stop_sluice
}
