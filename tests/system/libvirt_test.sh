#!/bin/bash
# Debian's libvirtd and guests of QEMU's: interfaces with <virtualport type='openvswitch'/> and of type 'vhostuser', from define to destroy.
# timeout: 400
# by name only
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "BOX_VSWITCHD names the other switch here"; exit 77; }
command -v libvirtd virsh >/dev/null || { echo "lacks libvirtd: scripts/setup-packages openstack"; exit 77; }
. "$TEST_LIB/box.sh"
. "$TEST_LIB/guests.sh"

IMAGE=${SLUICE_IMAGE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/sluice/guest-image}
"$TOP/scripts/guest-image" "$IMAGE"
mkdir -p "$VM_DIR"
box_make /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt
box_switch
cat >"$BOX/qemu.conf" <<'CONF'
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
CONF
printf 'auth_unix_rw = "none"\nlog_outputs = "3:file:%s"\n' "$TEST_DIR/libvirtd.log" >"$BOX/libvirtd.conf"
box cp "$BOX/qemu.conf" "$BOX/libvirtd.conf" /etc/libvirt/
background libvirtd-out nsenter -t "$BOX_PID" -m -n -- env PATH="$BOX/bin:$PATH" libvirtd
virsh() { box virsh -q -c qemu:///system "$@"; }
wait_until 20 virsh version

# domain NAME ADDRESS/N INTERFACE [BEHIND]: defines a guest; INTERFACE is XML, as is BEHIND, after the devices
domain() {
    cat >"$TEST_DIR/$1.xml" <<XML
<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>$1</name>
  <memory unit='MiB'>128</memory>
  <memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$IMAGE/vmlinuz</kernel>
    <initrd>$IMAGE/initramfs.gz</initrd>
    <cmdline>console=ttyS0 panic=-1 no_timer_check sluice.ip=$2 sluice.mtu=1500</cmdline>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='file'><source path='$VM_DIR/$1.log'/></serial>
    <serial type='unix'><source mode='bind' path='$VM_DIR/$1.exec'/></serial>
    <memballoon model='none'/>
    $3
  </devices>
  ${4:-}
</domain>
XML
    virsh define "$TEST_DIR/$1.xml"
}
start() {
    virsh start "$1"
    box cat "/run/libvirt/qemu/$1.pid" >"$VM_DIR/$1.pid"
    on_exit pid "$(cat "$VM_DIR/$1.pid")"
}
# Without KVM QEMU 7.2 crashes when vhost-user starts with MSI-X.
no_msix="<qemu:override><qemu:device alias='net0'><qemu:frontend><qemu:property name='vectors' type='unsigned' value='0'/></qemu:frontend></qemu:device></qemu:override>"
is() { [ "$(box_get "${@:2}")" = "$1" ]; }
is_gone() { ! box ovs-vsctl port-to-br "$1" 2>/dev/null; }
sent_by() { virsh domifstat "$1" "$2" | awk -v key="$3" '$2 == key {print $3}'; }

box ovs-vsctl add-br br0
box_host h1 10.0.0.1/24 02:00:00:00:00:01
box ovs-vsctl add-port br0 "$(host_if h1)"

step "virtualport openvswitch: the port comes with the guest"
domain g1 10.0.0.11/24 "<interface type='bridge'>
      <mac address='52:54:00:00:00:11'/><source bridge='br0'/>
      <virtualport type='openvswitch'><parameters interfaceid='e65867e0-9340-4a7f-a256-09af6eb7a3aa'/></virtualport>
      <target dev='tapg1'/><model type='virtio'/><driver name='qemu'/>
    </interface>"
start g1
assert_eq "$(box ovs-vsctl port-to-br tapg1)" br0
assert_contains "$(box_get Interface tapg1 external_ids)" attached-mac=52:54:00:00:00:11 iface-id=e65867e0-9340-4a7f-a256-09af6eb7a3aa iface-status=active
vm_wait g1 90
vm_ping_ok g1 10.0.0.1
ping_ok h1 10.0.0.11
wait_until 10 eval '[ "$(sent_by g1 tapg1 rx_packets)" -gt 3 ]'

step "and with a VLAN"
domain g2 10.0.0.12/24 "<interface type='bridge'>
      <mac address='52:54:00:00:00:12'/><source bridge='br0'/><vlan><tag id='42'/></vlan>
      <virtualport type='openvswitch'/><target dev='tapg2'/><model type='virtio'/><driver name='qemu'/>
    </interface>"
start g2
assert_eq "$(box_get Port tapg2 tag)" 42
vm_wait g2 90
! vm_exec g2 "ping -q -c 1 -W 1 10.0.0.1" || fail "VLAN 42 reaches VLAN 0"
box ovs-vsctl set Port "$(host_if h1)" tag=42
wait_until 5 vm_ping_once g2 10.0.0.1
box ovs-vsctl clear Port "$(host_if h1)" tag

step "destroyed: the port goes"
virsh destroy g2
is_gone tapg2 || fail "tapg2 is there"
wait_until 5 ping_once h1 10.0.0.11
virsh destroy g1
is_gone tapg1 || fail "tapg1 is there"
assert_eq "$(box ovs-vsctl list-ports br0)" "$(host_if h1)"

step "started again, under the same name"
start g1
vm_wait g1 90
vm_ping_ok g1 10.0.0.1
virsh destroy g1

step "vhost-user, QEMU as the server"
box ovs-vsctl add-port br0 vhu3 -- set Interface vhu3 type=dpdkvhostuserclient "options:vhost-server-path=$TEST_DIR/vhu3"
domain g3 10.0.0.13/24 "<interface type='vhostuser'>
      <mac address='52:54:00:00:00:13'/><source type='unix' path='$TEST_DIR/vhu3' mode='server'/><model type='virtio'/>
    </interface>" "$no_msix"
start g3
wait_until 60 is up Interface vhu3 link_state
vm_wait g3 90
vm_ping_ok g3 10.0.0.1
assert_contains "$(virsh domiflist g3)" vhu3 # by the path, from the database
wait_until 10 eval '[ "$(sent_by g3 vhu3 rx_packets)" -gt 0 ]'

step "vhost-user, QEMU as the client"
box ovs-vsctl add-port br0 vhu4 -- set Interface vhu4 type=dpdkvhostuser
domain g4 10.0.0.14/24 "<interface type='vhostuser'>
      <mac address='52:54:00:00:00:14'/><source type='unix' path='/run/openvswitch/vhu4' mode='client'/><model type='virtio'/>
    </interface>" "$no_msix"
start g4
vm_wait g4 90
vm_ping_ok g4 10.0.0.13
virsh destroy g3
wait_until 5 is down Interface vhu3 link_state
vm_ping_ok g4 10.0.0.1
virsh destroy g4
wait_until 5 is down Interface vhu4 link_state
for guest in g1 g2 g3 g4; do virsh undefine "$guest"; done
box ovs-vsctl del-br br0
