#!/bin/bash
# Neutron's agent above Sluice: the functional tests that Debian's python3-neutron brings, with the agent's own code on a real switch.
# timeout: 2400
# by name only
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/box.sh"

"$PYTHON" -c 'import neutron.tests.functional, os_ken, testscenarios' 2>/dev/null || { echo "lacks python3-neutron: scripts/setup-packages openstack"; exit 77; }
box_make
# As the real one a parent of the command: the tests look for the children of what they start.
printf '#!/bin/sh\nwhile :; do case $1 in -*) shift;; *=*) shift;; *) break;; esac; done\n"$@"\nexit $?\n' >"$BOX/bin/sudo"
chmod +x "$BOX/bin/sudo"
mkdir -p "$TEST_DIR/tmp"
box_switch
box ovs-vsctl set Open_vSwitch . ovs_version=3.1.0
box ovs-vsctl set-manager ptcp:6640:127.0.0.1

# functional MODULE[:REGEX]...
functional() {
    box timeout 1200 env TMPDIR="$TEST_DIR/tmp" OS_SUDO_TESTING=1 OS_LOG_PATH="$TEST_DIR/logs" OS_TEST_TIMEOUT=180 \
        "$PYTHON" -W ignore "$TEST_LIB/neutron_functional.py" "$@" >"$TEST_DIR/functional.out" 2>&1 || fail "$(cat "$TEST_DIR/functional.out")"
    echo "  $(grep '^Ran ' "$TEST_DIR/functional.out")"
}

agent=neutron.tests.functional.agent
step "bridges, ports and their options by ovsdbapp"
functional $agent.test_ovs_lib
step "rules by os-ken: ARP spoofing, DVR's tables, floods to tunnels, bundles"
functional $agent.test_ovs_flows
step "ARP answered for machines of other hosts"
functional neutron_arp
step "the firewall: conjunctions and connection tracking, tried by pings and connections from machines"
functional "$agent.test_firewall:OVS Firewall Driver"
step "whole agents: VLAN and VXLAN networks, pings while they set bridges up, the switch restarted"
functional $agent.test_l2_ovs_agent
