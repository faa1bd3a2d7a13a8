# The switch under test and its clients.
#
# SLUICED and SLUICECTL name other binaries, for example lib/ovs-as-sluiced, which runs OVS-DPDK on the same configuration:
# a test that passes there asks for what OpenFlow clients know.
# shellcheck shell=bash

SLUICED=${SLUICED:-$BUILD/sluiced}
SLUICECTL=${SLUICECTL:-$BUILD/sluicectl}
RUN_DIR=$TEST_DIR/run
MGMT=unix:$RUN_DIR/br0.mgmt
PMD_CORE=${PMD_CORE:-$(($(nproc) > 1 ? 1 : 0))}
SLUICE_PID=

TEST_MEMORY=${TEST_MEMORY:-256} # for the switch, MB

# Whether to run on hugepages: if there are enough free ones; HUGEPAGES=true or false decides otherwise.
free_hugepages() { cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages 2>/dev/null || echo 0; }
if [ -z "${HUGEPAGES:-}" ]; then
    if [ "$(free_hugepages)" -ge $((TEST_MEMORY / 2 + 64)) ]; then HUGEPAGES=true; else HUGEPAGES=false; fi
fi

# sluice_config BRIDGE_KEYS PORT...: writes TEST_DIR/sluice.json with bridge br0; BRIDGE_KEYS are more keys of the bridge as
# JSON, such as '"fail_mode": "secure"'; PORT is the JSON of a port (port_json, or by hand). PMD_KEYS adds to the pmd section,
# DPDK_KEYS to the dpdk section, ROOT_KEYS to the top of the file.
sluice_config() {
    local keys=$1 ports='' port
    shift
    for port in "$@"; do ports+="${ports:+,
      }$port"; done
    cat >"$TEST_DIR/sluice.json" <<JSON
{
  "run_dir": "$RUN_DIR",
  "dpdk": { "eal_args": ["--no-pci", "--in-memory", "-m", "$TEST_MEMORY", "--file-prefix", "$TEST_ID"], "hugepages": $HUGEPAGES${DPDK_KEYS:+, $DPDK_KEYS} },
  "pmd": { "cores": [$PMD_CORE]${PMD_KEYS:+, $PMD_KEYS} },
  "control": { "core": 0 }${ROOT_KEYS:+, $ROOT_KEYS},
  "bridges": [ {
    "name": "br0", "datapath_id": "0000000000000001", $keys,
    "ports": [
      $ports
    ] } ]
}
JSON
}

sluice_answers() { ovs-appctl -T 5 -t "$RUN_DIR/sluiced.ctl" version; }

# start_sluice [CONFIG]: returns when the control socket answers.
start_sluice() {
    local end=$((SECONDS + 30))
    [ -x "$SLUICED" ] || fail "no $SLUICED: build first"
    background sluiced "$SLUICED" "${1:-$TEST_DIR/sluice.json}"
    SLUICE_PID=$PID
    until sluice_answers >/dev/null 2>&1; do
        kill -0 "$SLUICE_PID" 2>/dev/null || fail "sluiced ended at start"
        [ "$SECONDS" -lt "$end" ] || fail "sluiced is not ready after 30 s"
        sleep 0.1
    done
}

sluice_runs() { kill -0 "$SLUICE_PID" 2>/dev/null; }

# stop_sluice: SIGTERM and the end; fails if that takes more than 2 s or the exit status is not 0.
stop_sluice() {
    local status=0
    kill -TERM "$SLUICE_PID"
    for _ in $(seq 100); do sluice_runs || break; sleep 0.02; done
    ! sluice_runs || fail "sluiced still runs 2 s after SIGTERM"
    wait "$SLUICE_PID" || status=$?
    assert_eq "$status" 0 "exit status of sluiced"
    SLUICE_PID=
}

ctl() { "$SLUICECTL" -t "$RUN_DIR/sluiced.ctl" "$@"; }
appctl() { ovs-appctl -T 10 -t "$RUN_DIR/sluiced.ctl" "$@"; }

# ofctl [OPTION...] VERB [what follows the switch's name]; OF=OpenFlow13 chooses the version.
ofctl() {
    local options=(-t "${OFCTL_TIMEOUT:-60}")
    [ -z "${OF:-}" ] || options+=(-O "$OF")
    while [[ $1 == -* ]]; do options+=("$1"); shift; done
    local verb=$1
    shift
    ovs-ofctl "${options[@]}" "$verb" "$MGMT" "$@"
}
flows_without_stats() { ofctl dump-flows --no-stats --no-names "$@" | sed 's/^ //' | grep -v '^NXST\|^OFPST' || true; }

# The n_packets of the rules that `ofctl dump-flows MATCH` lists, summed.
rule_packets() { ofctl dump-flows "$@" | sed -n 's/.*n_packets=\([0-9]*\).*/\1/p' | awk '{n += $1} END {print n + 0}'; }
rule_packets_are() { [ "$(rule_packets "${@:2}")" = "$1" ]; }

# Packets that the switch dropped by now, for whatever reason, but for those that controllers were too slow for, which each connection
# counts itself. On a busy machine a packet that a test sent, or asked for, may end on its way for several reasons.
lost_on_the_way() {
    ctl --json drops | "$PYTHON" -c 'import json, sys; print(sum(n for why, n in json.load(sys.stdin).items() if why != "packet_in_limit"))'
}

# A number of "sluicectl flows" by its key.
flows_number() { ctl --json flows | "$PYTHON" -c "import json,sys; print(json.load(sys.stdin)['$1'])"; }

# short_turns WHAT STEP [BEFORE]: STEP takes the control thread at most 10 ms at a time. The machine may stop a core for as long, and the kernel
# counts that as the thread's own time: what was slow is done again, after BEFORE, and a fault shows each time.
short_turns() {
    local try own
    for try in 1 2 3; do
        [ "$try" = 1 ] || ${3:-true}
        ctl flows clear >/dev/null
        $2
        own=$(flows_number longest_turn_own_us)
        echo "  $1: longest turn $own us by its processor time, $(flows_number longest_turn_us) us by the clock"
        [ "$own" -gt 10000 ] || return 0
        ctl flows | awk '/job or timer/ {jobs = 1} jobs && ($3 == "us" || $3 > 2000)'
    done
    fail "$1: a turn of the event loop took $own us, and three times more than 10 ms"
}

# Whether OVS runs in sluiced's place: it lacks Sluice's own commands.
is_ovs() { [ "$(basename "$SLUICED")" = ovs-as-sluiced ]; }
