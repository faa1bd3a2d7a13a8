#!/bin/bash
# What ovs-vswitchd tells the database of bridges, ports and interfaces, the switch tells as well: both on the same set-up, column by column.
# timeout: 120
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "both run here"; exit 77; }
OVS=/usr/lib/openvswitch-switch/ovs-vswitchd
[ -x "$OVS" ] || { echo "lacks $OVS: scripts/setup-packages test"; exit 77; }
. "$TEST_LIB/box.sh"

box_make
box ip link add nic1 type veth peer name nic2
box ip link set nic1 up
box ip link set nic2 up
box ip link add down1 type veth peer name down2
tables="Interface Port Bridge Controller"

# told NAME: starts a switch on an empty database, sets it up, and keeps what is in the tables as NAME.TABLE
told() {
    box_switch
    box ovs-vsctl add-br br0 -- set Bridge br0 datapath_type=netdev -- add-br br1 -- set Bridge br1 datapath_type=netdev
    # One by one: in one transaction their order is by chance, and so are their numbers.
    box ovs-vsctl add-port br0 nic1
    assert_contains "$(box_get Interface nic1 statistics)" rx_packets tx_packets # with the port's number
    box ovs-vsctl add-port br0 down1
    box ovs-vsctl add-port br0 in1 -- set Interface in1 type=internal
    box ovs-vsctl add-port br0 pa -- set Interface pa type=patch options:peer=pb -- add-port br1 pb -- set Interface pb type=patch options:peer=pa
    box ovs-vsctl add-br br0.10 br0 10
    box ovs-vsctl add-port br0 nosuch 2>/dev/null
    box ovs-vsctl set-controller br1 tcp:127.0.0.1:1
    # A status that changed is told within half a second. The statistics of controllers are there after 5 seconds.
    wait_until 10 eval '[ "$(box_get Interface nic1 statistics)" != "{}" ] && [ "$(box_get Controller br1 status)" != "{}" ]'
    for table in $tables; do box ovs-vsctl --format=json list "$table" >"$TEST_DIR/$1.$table"; done
    kill "$SLUICE_PID" "$(box cat /run/openvswitch/ovsdb-server.pid)"
    wait_until 5 eval '! kill -0 "$SLUICE_PID" && ! box test -e /run/openvswitch/ovsdb-server.pid'
    for link in br0 br1 in1 br0.10; do box ip link del "$link" 2>/dev/null || true; done
    box rm -f /run/openvswitch/conf.db
}

step "Open vSwitch"
BOX_VSWITCHD=$OVS told ovs
step "Sluice"
told sluice

step "columns that are filled, keys of maps, and values that are no accident"
cat >"$TEST_DIR/compare.py" <<'PYTHON'
import json, sys

def plain(value):
    if isinstance(value, list) and value[:1] == ["map"]:
        return dict(value[1])
    return value[1] if isinstance(value, list) and value[:1] == ["set"] else value

def rows(file):
    table = json.load(open(file))
    return {row.get("name", row.get("target")): row for row in (dict(zip(table["headings"], map(plain, data))) for data in table["data"])}

# Numbers and addresses that are of their run; what Sluice says better: a patch port without a peer is down, with an error.
OF_THE_RUN = {"_uuid", "ifindex", "mac_in_use", "datapath_id", "interfaces", "ports", "controller", "link_resets"}
wrong = 0
for table in sys.argv[2:]:
    theirs, ours = (rows("%s/%s.%s" % (sys.argv[1], who, table)) for who in ("ovs", "sluice"))
    assert theirs.keys() == ours.keys(), (theirs.keys(), ours.keys())
    for name, row in theirs.items():
        for column, value in row.items():
            mine = ours[name][column]
            if isinstance(value, dict):
                bad = [key for key in value if key not in mine]
                if column == "status" and table == "Interface":
                    bad += [key for key in value if mine.get(key, value[key]) != value[key]]
            elif column in OF_THE_RUN:
                bad = bool(value) != bool(mine) and column != "link_resets"
            else:
                bad = value != mine
            if bad:
                wrong += 1
                print("%s %s.%s: %s, not %s" % (table, name, column, mine, value), bad)
sys.exit(wrong > 0)
PYTHON
# shellcheck disable=SC2086
"$PYTHON" "$TEST_DIR/compare.py" "$TEST_DIR" $tables
