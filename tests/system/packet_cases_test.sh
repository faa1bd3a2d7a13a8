#!/bin/bash
# Tables of cases, over every version of OpenFlow: rules, a packet in, and what must come out at the far end, byte for byte.
# timeout: 300
# CASES="rewrite_cases": only those of that module.
. "$(dirname "$0")/lib/harness.sh"

ports=()
for n in 1 2 3; do # TAPs: DPDK's af_packet driver would lose the type of service tags
    ns_make h$n
    ports+=("{ \"name\": \"p$n\", \"ofport\": $n, \"type\": \"tap\", \"ifname\": \"$TEST_ID-t$n\" }")
done
sluice_config '"fail_mode": "secure"' "${ports[@]}"
start_sluice
for n in 1 2 3; do
    ip link set "$TEST_ID-t$n" netns "$(ns_name h$n)" name eth0
    in_ns h$n ip link set eth0 up
done

# What the cases of pipeline_cases.py refer to.
ofctl add-tlv-map '{class=0xffff,type=0,len=4}->tun_metadata0'
OF=OpenFlow13 ofctl add-group 'group_id=7,type=all,bucket=set_field:02:00:00:00:00:22->eth_dst,output:2,bucket=output:3'
OF=OpenFlow13 ofctl add-group 'group_id=8,type=indirect,bucket=output:3'
OF=OpenFlow13 ofctl add-group 'group_id=9,type=ff,bucket=watch_port:77,output:3,bucket=watch_port:2,output:2'
OF=OpenFlow13 ofctl add-meter 'meter=1,pktps,band=type=drop,rate=100000'

modules=${CASES:-$(cd "$TOP/tests/system/cases" && ls ./*_cases.py | sed 's/^..//; s/\.py$//')}
for version in OpenFlow10 OpenFlow13 OpenFlow14 OpenFlow15; do
    step "$version"
    ofctl del-flows
    # shellcheck disable=SC2086
    TEST_ID=$TEST_ID PYTHONPATH=$TEST_LIB:$TOP/tests/system/cases "$PYTHON" "$TEST_LIB/cases.py" "$MGMT" $version $modules
done

stop_sluice
