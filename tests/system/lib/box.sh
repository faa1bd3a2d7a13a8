# A machine of its own for tools that look for Open vSwitch where it always is: namespaces for its network and its files, in which /run is the
# test's, Debian's ovsdb-server runs, and the switch under the name of Open vSwitch's daemon. BOX_VSWITCHD: another binary in its place.
# shellcheck shell=bash

BOX=$TEST_DIR/box
BOX_PID=
OVS_DB=/run/openvswitch/db.sock # as the box sees it

# box COMMAND...: in the box
box() { nsenter -t "$BOX_PID" -m -n -- env PATH="$BOX/bin:$PATH" "$@"; }

# box_make [DIRECTORY...]: these are empty in the box, whatever the machine has there
box_make() {
    mkdir -p "$BOX/bin"
    ns_make box
    cat >"$BOX/holder" <<'HOLDER'
set -e
mount --make-rprivate /
for directory in /run "${@:2}"; do mount -t tmpfs none "$directory"; done
# What tools change there is for all namespaces in part.
mount --bind /proc/sys /proc/sys
mount -o remount,bind,ro /proc/sys
mount --bind /proc/sys/net /proc/sys/net
mount -o remount,bind,rw /proc/sys/net
mkdir -p /run/openvswitch /run/lock
touch "$1"
exec sleep infinity
HOLDER
    background box ip netns exec "$(ns_name box)" unshare -m bash "$BOX/holder" "$BOX/made" "$@"
    BOX_PID=$PID
    wait_until 5 test -e "$BOX/made"
}

# What a daemon wrote into its pidfile, ended with the test.
box_note_pid() {
    local pid
    pid=$(box cat "/run/openvswitch/$1.pid")
    on_exit pid "$pid"
    echo "$pid"
}

# box_database: an empty one, and its server
box_database() {
    box ovsdb-tool create /run/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
    box ovsdb-server /run/openvswitch/conf.db "--remote=punix:$OVS_DB" --remote=db:Open_vSwitch,Open_vSwitch,manager_options --pidfile \
        --detach --no-chdir -vconsole:off -vsyslog:off --log-file="$TEST_DIR/ovsdb-server.log"
    box_note_pid ovsdb-server >/dev/null
    box ovs-vsctl --no-wait init
}

# box_vswitchd [OPTION...]: returns when it is ready, as ovs-ctl start does; SLUICE_PID is its pid
box_vswitchd() {
    ln -sf "${BOX_VSWITCHD:-$SLUICED}" "$BOX/bin/ovs-vswitchd"
    box ovs-vswitchd "unix:$OVS_DB" -vconsole:emer -vsyslog:off --no-chdir --pidfile --detach --log-file="$TEST_DIR/ovs-vswitchd.log" "$@"
    SLUICE_PID=$(box_note_pid ovs-vswitchd)
}

# box_switch: with database; no hugepages, as most machines have none, and a thread that sleeps when there is nothing to do
box_switch() {
    box_database
    box ovs-vsctl --no-wait set Open_vSwitch . "other_config:pmd-cpu-mask=$(printf %x $((1 << PMD_CORE)))" other_config:pmd-maxsleep=500
    box_vswitchd
}

# box_host HOST ADDRESS/N MAC: host_make, with the switch's end in the box
box_host() {
    host_make "$@"
    ip link set "$(host_if "$1")" netns "$(ns_name box)"
    box ip link set "$(host_if "$1")" up
}

box_get() { box ovs-vsctl --timeout=10 get "$@" | tr -d '"'; }
