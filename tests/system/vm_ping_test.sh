#!/bin/bash
# Two QEMU guests ping each other and speak TCP, one in each vhost-user mode.
# timeout: 240
. "$(dirname "$0")/lib/harness.sh"
. "$TEST_LIB/guests.sh"

s1=$TEST_DIR/vm1.sock s2=$TEST_DIR/vm2.sock
sluice_config '"fail_mode": "secure"' \
    "{ \"name\": \"vm1\", \"ofport\": 1, \"type\": \"vhost-user\", \"mode\": \"client\", \"path\": \"$s1\" }" \
    "{ \"name\": \"vm2\", \"ofport\": 2, \"type\": \"vhost-user\", \"mode\": \"server\", \"path\": \"$s2\" }"
start_sluice
ofctl add-flow in_port=1,actions=output:2
ofctl add-flow in_port=2,actions=output:1

v1() { vm_up v1 "$s1" --server --ip 10.0.0.1/24 --mac 52:54:00:00:00:01; }
v2() { vm_up v2 "$s2" --client --ip 10.0.0.2/24 --mac 52:54:00:00:00:02; }

step "both boot and ping"
v1
v2
vm_wait v1 90
vm_wait v2 90
wait_until 10 vm_ping_once v1 10.0.0.2
vm_ping_ok v1 10.0.0.2 5
vm_ping_ok v2 10.0.0.1

step "TCP carries 2 MB unchanged, in both directions"
transfer() { # FROM TO ADDRESS-OF-TO
    # nc ends when either side sees the end of its input: the listener's stays open.
    vm_exec "$2" '(sleep 60 | nc -l -p 5000 >/tmp/got) & sleep 0.5'
    vm_exec "$1" "dd if=/dev/urandom of=/tmp/sent bs=1024 count=2048 2>/dev/null; nc -w 20 $3 5000 </tmp/sent"
    wait_until 10 vm_exec "$2" '! pidof nc'
    assert_eq "$(vm_exec "$2" 'md5sum </tmp/got')" "$(vm_exec "$1" 'md5sum </tmp/sent')" "md5 of what arrived"
}
transfer v1 v2 10.0.0.2
transfer v2 v1 10.0.0.1

# VM_RESTARTS=1: this too. tests/system/vhost_guests_test.sh does it with guests that boot at once.
if [ -n "${VM_RESTARTS:-}" ]; then
    step "v1 (its socket, the switch connects) is killed and comes back"
    vm_kill v1
    v1
    vm_wait v1 90
    wait_until 10 vm_ping_once v2 10.0.0.1
    vm_ping_ok v1 10.0.0.2

    step "v2 (the switch's socket, QEMU connects) is killed and comes back"
    vm_kill v2
    v2
    vm_wait v2 90
    wait_until 10 vm_ping_once v1 10.0.0.2
    vm_ping_ok v2 10.0.0.1
fi

stop_sluice
