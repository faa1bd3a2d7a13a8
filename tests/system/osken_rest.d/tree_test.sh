# simple_switch_stp_13 over the ring; with the timers of its own, so a change takes most of a minute.
# shellcheck shell=bash
if has simple_switch_stp_13 && [[ " $versions " == *" 13 "* ]]; then
    step "simple_switch_stp_13: a ring"
    no_addresses
    for n in 1 2 3 4; do address h$n 10.0.0.$n/24; done
    ip link set "${TEST_ID}a31" up
    manager 13 os_ken.app.simple_switch_stp_13
    # Four ports with hosts, two of each bridge in the ring less the one that blocks.
    wait_until 120 logged '/ FORWARD' 9
    wait_until 30 logged '/ BLOCK'
    for to in 10.0.0.4 10.0.0.2 10.0.0.3; do
        wait_until 60 ping_once h1 $to
        ping_ok h1 $to
    done
    capture h3
    packets h1 'Ether(src="02:00:00:00:00:01",dst="ff:ff:ff:ff:ff:ff",type=0x88b5)/Raw(b"x"*50)' 1 h3=same
    sleep 1
    assert_eq "$(grep -c 0x88b5 "$TEST_DIR/capture-h3.log")" 1 "broadcasts at h3"

    step "  the link that is used goes, the other way is taken"
    ip link set "${TEST_ID}a31" down
    wait_until 120 ping_once h1 10.0.0.3
    ping_ok h1 10.0.0.3
    ping_ok h2 10.0.0.3
    end_manager
fi
