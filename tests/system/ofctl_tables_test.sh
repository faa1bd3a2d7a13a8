#!/bin/bash
# The verbs of ovs-ofctl about groups, meters, tables and bundles, over OpenFlow 1.3, 1.4 and 1.5.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"

host_make h1 10.0.0.1/24 02:00:00:00:00:01
host_make h2 10.0.0.2/24 02:00:00:00:00:02
sluice_config '"fail_mode": "secure", "tables": [{"table": 9, "max_entries": 1, "eviction": true}, {"table": 10, "max_entries": 1}]' \
    "$(port_json p1 1 h1)" "$(port_json p2 2 h2)"
start_sluice

frame='Ether(src="02:00:00:00:00:01",dst="02:00:00:00:00:02")/IP(src="10.0.0.1",dst="10.0.0.2")/UDP(sport=5,dport=%s)/Raw(b"ofctl-tables-test")'
send() { packets h1 "${frame/\%s/$1}" "${@:2}"; }

# matches REGEX COMMAND...: for wait_until
matches() { "${@:2}" | grep -qE -- "$1"; }

for OF in OpenFlow13 OpenFlow14 OpenFlow15; do
    export OF
    step "$OF: groups"
    ofctl add-group 'group_id=1,type=all,bucket=output:2'
    ofctl add-group 'group_id=2,type=select,bucket=weight:5,output:1,bucket=weight:7,group:1'
    assert_fails ofctl add-group 'group_id=1,type=all,bucket=output:2'
    assert_contains "$OUTPUT" OFPGMFC_GROUP_EXISTS
    out=$(ofctl dump-groups)
    assert_contains "$out" 'group_id=1,type=all' 'weight:5,actions=output:' 'weight:7,actions=group:1'
    ofctl mod-group 'group_id=2,type=select,bucket=weight:0,output:1,bucket=weight:7,group:1'
    ofctl add-flow in_port=1,actions=group:2
    send 80 3 h2=same
    wait_until 3 matches 'group_id=1,.*ref_count=1,packet_count=3,byte_count=[0-9]+' ofctl dump-group-stats
    wait_until 3 matches 'group_id=2,.*ref_count=1,packet_count=3.*bucket1:packet_count=3' ofctl dump-group-stats
    assert_contains "$(ofctl dump-group-features)" 'Types:  0xf'
    ofctl del-groups group_id=2
    assert_eq "$(flows_without_stats)" "" "the group took its rule along"

    step "$OF: meters"
    ofctl add-meter meter=1,pktps,burst,band=type=drop,rate=1000,burst_size=100
    assert_fails ofctl add-meter meter=1,pktps,band=type=drop,rate=1000
    assert_contains "$OUTPUT" OFPMMFC_METER_EXISTS
    ofctl add-flow in_port=1,actions=meter:1,output:2
    assert_matches "$(ofctl dump-flows)" 'actions=meter:1,output'
    send 80 3 h2=same
    wait_until 3 matches 'packet_in_count:3' ofctl meter-stats
    ofctl mod-meter meter=1,kbps,band=type=drop,rate=9999
    assert_contains "$(ofctl dump-meters)" 'meter=1 kbps bands='
    assert_contains "$(ofctl meter-features)" 'max_meter:' 'band_types:'
    assert_fails ofctl add-flow in_port=2,actions=meter:9,output:1
    ofctl del-meters
    assert_eq "$(flows_without_stats)" "" "the meter took its rule along"

    step "$OF: tables"
    assert_contains "$(ofctl dump-table-features)" 'table 0' 'supported on Set-Field' 'next tables:'
    assert_contains "$(ofctl dump-tables)" 'table 0'

    step "$OF: queues, fragments, description"
    ofctl queue-stats >"$TEST_DIR/out"
    ofctl queue-get-config >>"$TEST_DIR/out"
    ofctl set-frags drop
    assert_eq "$(ofctl get-frags)" drop
    ofctl set-frags normal
    assert_contains "$(ofctl dump-desc)" Sluice

    step "$OF: packet-out, replace-flows, diff-flows"
    capture h2
    ofctl packet-out 'in_port=1,packet=0200000000020200000000040800450000200001000040116cca0a0000010a0000020005000900040000aabbccdd,actions=output:2'
    wait_until 3 captured h2 '02:00:00:00:00:04 > 02:00:00:00:00:02'
    end_pid "$PID"
    printf 'priority=5,in_port=1,actions=output:2\npriority=6,in_port=2,actions=output:1\n' >"$TEST_DIR/flows"
    ofctl add-flow priority=7,actions=drop
    ofctl replace-flows "$TEST_DIR/flows"
    assert_eq "$(ofctl diff-flows "$TEST_DIR/flows" || true)" "" "diff-flows"
    ofctl del-flows
    ofctl del-groups
done

step "OpenFlow 1.4: importance of rules; of 1.3 it is not told"
OF=OpenFlow14
ofctl add-flow priority=3,importance=77,in_port=1,actions=output:2
assert_contains "$(ofctl dump-flows)" importance=77
assert_lacks "$(OF=OpenFlow13 ofctl dump-flows)" importance

if ! is_ovs; then
    step "limits from the configuration"
    OF=OpenFlow13
    ofctl add-flow table=9,priority=1,actions=drop
    ofctl add-flow table=9,priority=2,actions=drop
    assert_eq "$(ofctl dump-flows table=9 | grep -c priority=)" 1
    ofctl add-flow table=10,priority=1,actions=drop
    assert_fails ofctl add-flow table=10,priority=2,actions=drop
    assert_contains "$OUTPUT" OFPFMFC_TABLE_FULL
fi

for OF in OpenFlow14 OpenFlow15; do
    step "$OF: eviction, vacancy events"
    ofctl del-flows
    ofctl mod-table 0 evict
    ofctl mod-table 0 vacancy:20,80
    assert_matches "$(ofctl dump-table-desc | grep -A3 'table 0:')" 'vacancy=on vacancy_down=20% vacancy_up=80% vacancy=100%'
    ofctl mod-table 0 novacancy
    ofctl mod-table 1 evict
    assert_matches "$(ofctl dump-table-desc | grep -A3 'table 1:')" 'eviction=on eviction_flags=OTHER\|IMPORTANCE\|LIFETIME'
    ofctl mod-table 1 noevict
    assert_matches "$(ofctl dump-table-desc | grep -A3 'table 1:')" 'eviction=off'
done

step "OpenFlow 1.5: buckets one by one, selection method, masked set_field, copy_field, meters as actions"
OF=OpenFlow15
ofctl add-group 'group_id=7,type=select,selection_method=hash,fields(ip_src,ip_dst),bucket=bucket_id:10,weight:1,output:1'
ofctl insert-buckets 'group_id=7,command_bucket_id=last,bucket=bucket_id:20,weight:2,output:2'
ofctl insert-buckets 'group_id=7,command_bucket_id=first,bucket=bucket_id:5,weight:3,output:2'
assert_matches "$(ofctl dump-groups)" 'fields\(ip_src,ip_dst\),bucket=bucket_id:5,weight:3.*bucket_id:10,.*bucket_id:20,weight:2'
assert_fails ofctl insert-buckets 'group_id=7,command_bucket_id=last,bucket=bucket_id:20,weight:2,output:2'
assert_contains "$OUTPUT" OFPGMFC_BUCKET_EXISTS
ofctl remove-buckets group_id=7,command_bucket_id=10
assert_fails ofctl remove-buckets group_id=7,command_bucket_id=10
assert_contains "$OUTPUT" OFPGMFC_UNKNOWN_BUCKET
assert_lacks "$(ofctl dump-groups)" bucket_id:10,
ofctl del-groups
ofctl add-meter meter=3,pktps,band=type=drop,rate=100000
ofctl add-flow 'priority=4,in_port=1,udp,actions=meter:3,set_field:0x7/0xf->reg1,move:NXM_OF_IP_SRC[]->NXM_NX_REG0[],set_field:02:00:00:00:00:99/ff:ff:ff:ff:ff:ff->eth_src,output:2'
assert_matches "$(ofctl dump-flows)" 'meter:3,set_field:0x7/0xf->reg1,move:NXM_OF_IP_SRC\[\]->NXM_NX_REG0\[\],set_field:02:00:00:00:00:99->eth_src,output'
capture h2
send 80 2
wait_until 3 captured h2 '02:00:00:00:00:99 > 02:00:00:00:00:02'
end_pid "$PID"
wait_until 3 matches 'packet_in_count:2' ofctl meter-stats
ofctl del-flows
ofctl del-meters

step "OpenFlow 1.5: a packet-out says what surrounds the packet"
ofctl add-flow 'priority=4,in_port=1,reg0=0x5,metadata=0x6,actions=output:2'
capture h2
packet='packet=02000000000202000000000%s0800450000200001000040116cca0a0000010a0000020005000900040000aabbccdd'
ofctl packet-out "in_port=1,${packet/\%s/7},actions=table"
ofctl packet-out "in_port=1,reg0=5,metadata=6,${packet/\%s/8},actions=table"
wait_until 3 captured h2 '02:00:00:00:00:08 > 02:00:00:00:00:02'
captured h2 '02:00:00:00:00:07 >' && fail "a packet without the register took the rule"
end_pid "$PID"

step "stat_trigger: a message at each multiple of a threshold"
cat >"$TEST_DIR/trigger.py" <<'PYTHON'
import socket, struct, subprocess, sys
from of_peer import *

SET_CONFIG, MULTIPART_REPLY = 9, 19
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
peer = Peer(sock, version=6)
peer.send(SET_CONFIG, struct.pack("!HH", 0, 128))
thresholds = struct.pack("!HHHBBQ", 0, 16, 0x8002, 4 << 1, 8, 5)
trigger = struct.pack("!HHI", 7, 8 + len(thresholds), 1) + thresholds
apply = struct.pack("!HH4xHHIH6x", 4, 24, 0, 16, 2, 0)
match = struct.pack("!HHHBBI4x", 1, 12, 0x8000, 0, 4, 1)
peer.send(FLOW_MOD, struct.pack("!QQBBHHHIIIHH", 7, 0, 0, 0, 0, 0, 9, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + match + trigger + apply)
peer.barrier()
told = 0
for sent in 4, 1, 6:
    subprocess.run(sys.argv[2:] + [str(sent)], check=True)
    told += sent
    if told < 5:
        continue
    body = peer.expect(MULTIPART_REPLY, 0, timeout=20)
    kind, length, table, reason, priority = struct.unpack_from("!H6xH2xBBH", body)
    assert (kind, table, reason, priority) == (17, 0, 1, 9), body.hex()
    stats = body[16 + len(match):]
    packets = next(stats[i + 4 : i + 12] for i in range(4, len(stats) - 11, 4) if stats[i : i + 4] == b"\x80\x02\x08\x08")
    assert struct.unpack("!Q", packets)[0] == told, (told, body.hex())
PYTHON
ofctl del-flows
cat >"$TEST_DIR/out.sh" <<SHELL
for ((i = 0; i < \$1; i++)); do
    ovs-ofctl -O OpenFlow14 packet-out $MGMT "in_port=1,${packet/\%s/1},actions=table"
done
SHELL
PYTHONPATH=$TEST_LIB timeout 60 "$PYTHON" "$TEST_DIR/trigger.py" "${MGMT#unix:}" bash "$TEST_DIR/out.sh"

step "bundles: packet-outs go by what the messages before them made, and only if all of it is done"
OF=OpenFlow14
ofctl del-flows
captured_from() { captured h2 "02:00:00:00:00:$1 > 02:00:00:00:00:02"; }
out() { printf 'packet-out in_port=1,%s,actions=table\n' "${packet/\%s/$1}"; }
{ out 9; echo 'flow add priority=9,in_port=1,actions=output:2'; out a; echo 'flow modify in_port=1,actions=drop'; out b; } >"$TEST_DIR/good"
{ echo 'flow modify in_port=1,actions=output:2'; out c; echo 'flow add priority=9,in_port=1,actions=group:10'; } >"$TEST_DIR/bad"
capture h2
assert_fails ovs-ofctl -O OpenFlow14 bundle "$MGMT" "$TEST_DIR/bad"
ofctl bundle "$TEST_DIR/good"
assert_contains "$(ofctl dump-flows)" 'n_packets=2, n_bytes=92, priority=9,in_port=1 actions=drop'
assert_fails ovs-ofctl -O OpenFlow14 bundle "$MGMT" "$TEST_DIR/bad"
assert_contains "$(ofctl dump-flows)" 'n_packets=2, n_bytes=92, priority=9,in_port=1 actions=drop'
ofctl packet-out "in_port=1,${packet/\%s/d},actions=output:2"
wait_until 3 captured_from 0d
captured_from 0a || fail "the packet-out behind the rule did not take it"
for i in 09 0b 0c; do
    captured_from $i && fail "packet-out $i was sent"
done
end_pid "$PID"

step "bundles of groups and rules: whole or not at all"
for OF in OpenFlow13 OpenFlow14 OpenFlow15; do
    ofctl del-flows
    printf '%s\n' 'flow add priority=1,in_port=2,actions=output:1' 'group add group_id=9,type=all,bucket=output:2' 'flow add priority=9,in_port=1,actions=group:9' >"$TEST_DIR/good"
    [ "$OF" = OpenFlow13 ] || ofctl bundle "$TEST_DIR/good"
    [ "$OF" != OpenFlow13 ] || { ofctl add-group group_id=9,type=all,bucket=output:2; ofctl add-flow priority=9,in_port=1,actions=group:9; }
    send 80 2 h2=same
    printf '%s\n' 'group delete group_id=9' 'group add group_id=9,type=all,bucket=output:1' 'flow add priority=9,in_port=1,actions=group:10' >"$TEST_DIR/bad"
    assert_fails ovs-ofctl -O OpenFlow14 bundle "$MGMT" "$TEST_DIR/bad"
    assert_contains "$OUTPUT" OFPBAC_BAD_OUT_GROUP
    assert_contains "$(ofctl dump-groups)" 'group_id=9,type=all,bucket='
    send 80 2 h2=same
    # What only the commit can find out.
    before=$(flows_without_stats)
    printf '%s\n' 'flow add priority=10,in_port=1,actions=output:1' 'flow delete in_port=2' 'flow add check_overlap,priority=9,udp,actions=drop' >"$TEST_DIR/bad"
    assert_fails ovs-ofctl -O OpenFlow14 bundle "$MGMT" "$TEST_DIR/bad"
    assert_contains "$OUTPUT" OFPFMFC_OVERLAP
    assert_eq "$(flows_without_stats)" "$before"
    send 80 2 h2=same
    ofctl del-groups
    assert_lacks "$(flows_without_stats)" group
done

stop_sluice
