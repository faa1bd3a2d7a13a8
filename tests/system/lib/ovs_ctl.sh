# Debian's scripts of Open vSwitch with Sluice as the daemon, all of whose files are in TEST_DIR.
# shellcheck shell=bash

OVS_CTL=/usr/share/openvswitch/scripts/ovs-ctl

ovs_ctl_setup() {
    [ -x "$OVS_CTL" ] && command -v ovsdb-server >/dev/null || { echo "needs Debian's openvswitch-switch"; exit 77; }
    local ovs=$TEST_DIR/ovs bin=$TEST_DIR/bin
    mkdir -p "$ovs/openvswitch" "$bin"
    ln -s "$SLUICED" "$bin/ovs-vswitchd"
    export OVS_RUNDIR=$ovs OVS_LOGDIR=$ovs OVS_DBDIR=$ovs OVS_SYSCONFDIR=$ovs PATH=$bin:$PATH
    # The scripts insist on the kernel's module "openvswitch", which Sluice has no use for. Where the kernel has modules, but not that one,
    # its operator says so in /etc/modprobe.d.
    mkdir "$TEST_DIR/modprobe.d"
    echo 'install openvswitch /bin/true' >"$TEST_DIR/modprobe.d/sluice.conf"
    export MODPROBE_OPTIONS="-C $TEST_DIR/modprobe.d"
    vsctl_pmd_core
}

# Where poll-mode threads run is known before the first start.
vsctl_pmd_core() {
    ovsdb-tool create "$OVS_DBDIR/conf.db" /usr/share/openvswitch/vswitch.ovsschema
    ovsdb-tool transact "$OVS_DBDIR/conf.db" "[\"Open_vSwitch\", {\"op\": \"insert\", \"table\": \"Open_vSwitch\", \"row\":
        {\"other_config\": [\"map\", [[\"pmd-cpu-mask\", \"$(printf %x $((1 << PMD_CORE)))\"]]]}}]" >/dev/null
}

# ovs_ctl [OPTION...] COMMAND
ovs_ctl() { "$OVS_CTL" --no-mlockall --no-force-corefiles --system-id=random --no-full-hostname "$@"; }
vsctl() { ovs-vsctl -t 20 "$@"; }
pid_of() { cat "$OVS_RUNDIR/$1.pid"; }
# Ends them with the test, whatever happens: their monitors first, which would start them again.
note_daemons() {
    local name pid
    for name in ovsdb-server ovs-vswitchd; do
        pid=$(pid_of "$name")
        on_exit pid "$pid"
        [ "$(cat "/proc/$(ps -o ppid= -p "$pid" | tr -d ' ')/comm")" != "$name" ] || on_exit pid "$(ps -o ppid= -p "$pid" | tr -d ' ')"
    done
    SLUICE_PID=$(pid_of ovs-vswitchd)
}
