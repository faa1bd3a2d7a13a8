# Sourced first by every system test: strict mode, a scratch directory, clean-up that also runs on failure, assertions.
#
#   #!/bin/bash
#   # What the test shows.
#   # timeout: 60                     (seconds; 120 without it; read by tests/system/run)
#   . "$(dirname "$0")/lib/harness.sh"
#
# A test is the commands behind that: the first that fails ends it with the place and the switch's last log lines. It runs alone
# (tests/system/basic_forward_test.sh) and, one after the other, by tests/system/run. TEST_KEEP=1 keeps the directory.
#
# Whatever a test makes outside TEST_DIR it notes with `on_exit`, which is kept in a file, so that the runner can clean up
# behind a test that was killed.
# shellcheck shell=bash
set -eEuo pipefail

TEST_LIB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
TOP=$(cd "$TEST_LIB/../../.." && pwd)
BUILD=${SLUICE_BUILD:-$TOP/build}
PYTHON=/usr/bin/python3 # Debian's, which has scapy; another python3 may come first in PATH
export SLUICE_BUILD=$BUILD PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$TEST_LIB

# on_exit pid N | netns NAME | link NAME | file PATH
on_exit() { echo "$*" >>"$TEST_DIR/on_exit"; }

# Whether it runs: one that is dead and was not collected by its parent yet does not.
pid_runs() { [[ $(cat "/proc/$1/stat" 2>/dev/null) == *") "[!ZX]* ]]; }

end_pid() {
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 250); do pid_runs "$1" || return 0; sleep 0.02; done
    kill -KILL "$1" 2>/dev/null || true
}

# Undoes what TEST_DIR/on_exit lists, last first; processes are all asked to end before any is waited for.
clean_up() {
    local kind what
    [ -e "$1/on_exit" ] || return 0
    while read -r kind what; do
        [ "$kind" != pid ] || kill "$what" 2>/dev/null || true
    done < <(tac "$1/on_exit")
    while read -r kind what; do
        case $kind in
            pid) end_pid "$what" ;;
            netns) [ ! -e "/run/netns/$what" ] || ip netns del "$what" ;;
            link) [ ! -e "/sys/class/net/$what" ] || ip link del "$what" ;;
            file) rm -f "$what" ;;
            rule) ! ip rule show table "$what" | grep -q . || ip rule del table "$what" ;;
        esac
    done < <(tac "$1/on_exit")
    rm -f "$1/on_exit"
}

# The runner sources this file for clean_up alone.
if [ -n "${HARNESS_CLEAN_UP_ONLY:-}" ]; then
    return 0
fi

[ "$(id -u)" = 0 ] || { echo "system tests need root: network namespaces, hugepages" >&2; exit 1; }

TEST_NAME=$(basename "$0" _test.sh)
TEST_ID=s$$ # in the names of namespaces and interfaces
if [ -z "${TEST_DIR:-}" ]; then
    TEST_DIR=$(mktemp -d "/tmp/sluice-$TEST_NAME.XXXXXX")
    TEST_DIR_OWN=1
fi
export TEST_DIR
export GUEST_DIR=$TEST_DIR/guests VM_DIR=$TEST_DIR/vms
chmod 755 "$TEST_DIR"

show_logs() {
    local log what
    if [ -S "${RUN_DIR:-}/sluiced.ctl" ]; then
        echo "--- drops and megaflows" >&2
        for what in drops flows pmd; do ovs-appctl -T 5 -t "$RUN_DIR/sluiced.ctl" $what >&2 || true; done
        ovs-appctl -T 5 -t "$RUN_DIR/sluiced.ctl" dpctl/dump-flows 2>&1 | head -20 >&2 || true
    fi
    for log in "$TEST_DIR"/*.log "$GUEST_DIR"/*.log "$VM_DIR"/*.log; do
        [ -s "$log" ] || continue
        echo "--- ${log#"$TEST_DIR"/}, last lines" >&2
        tail -n "${TEST_LOG_LINES:-25}" "$log" >&2
    done
}

finish() {
    local status=$?
    trap - EXIT ERR TERM INT
    set +eE
    [ "$status" = 0 ] || [ "$status" = 77 ] || show_logs
    clean_up "$TEST_DIR"
    if [ -n "${TEST_DIR_OWN:-}" ]; then
        if [ -n "${TEST_KEEP:-}" ]; then echo "kept: $TEST_DIR"; else rm -rf "$TEST_DIR"; fi
        case $status in 0) echo "$TEST_NAME: ok" ;; 77) echo "$TEST_NAME: skipped" ;; *) echo "$TEST_NAME: FAIL" ;; esac
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM INT
trap 'echo "failed: $BASH_COMMAND" >&2; show_place' ERR

# Which line of the test it was.
show_place() {
    local i
    for ((i = 1; i < ${#FUNCNAME[@]}; i++)); do
        case ${BASH_SOURCE[i]} in
            *_test.sh) echo "  at $(basename "${BASH_SOURCE[i]}"):${BASH_LINENO[i - 1]}" >&2 ;;
        esac
    done
}

# --- assertions and waiting ------------------------------------------------------------------------------------------

fail() {
    echo "FAIL: $*" >&2
    show_place
    trap - ERR
    exit 1
}

step() { printf -- "- %3d s  %s\n" "$SECONDS" "$*"; }

# assert_eq ACTUAL EXPECTED [WHAT]
assert_eq() { [ "$1" = "$2" ] || fail "${3:-value}: '$1' instead of '$2'"; }

# assert_contains TEXT PART...: every part is in the text
assert_contains() {
    local text=$1 part
    shift
    for part in "$@"; do
        case $text in *"$part"*) ;; *) fail "no '$part' in: $text" ;; esac
    done
}

# assert_lacks TEXT PART...
assert_lacks() {
    local text=$1 part
    shift
    for part in "$@"; do
        case $text in *"$part"*) fail "unexpected '$part' in: $text" ;; esac
    done
}

# assert_matches TEXT REGEX: some line matches the extended regular expression
assert_matches() { grep -qE -- "$2" <<<"$1" || fail "no line like '$2' in: $1"; }

# assert_fails COMMAND...: must exit with failure; its output is left in $OUTPUT
assert_fails() {
    if OUTPUT=$("$@" 2>&1); then
        fail "should have failed: $* -> $OUTPUT"
    fi
}

# wait_until SECONDS COMMAND...: repeats the command until it succeeds. SECONDS is ample where nothing else runs; a machine that is busy
# with other things gets TEST_PATIENCE (4) times that.
wait_until() {
    local wanted=$(($1 * ${TEST_PATIENCE:-4}))
    local end=$(($(date +%s%N) + wanted * 1000000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(date +%s%N)" -lt "$end" ] || fail "not within $wanted s: $*"
        sleep 0.1
    done
}

# grep(1), but `... | grep -q` reads to the end: it would stop at the first match, and what writes the rest would be ended by SIGPIPE, which is a
# failure of the pipeline (pipefail), now and then.
grep() {
    local word words=0 quiet='' status=0
    for word; do
        case $word in
            --*) ;;
            -*q*) quiet=1 ;;
            -*) ;;
            *) words=$((words + 1)) ;; # the pattern, then files
        esac
    done
    command grep "$@" || status=$?
    [ -z "$quiet" ] || [ $words -gt 1 ] || cat >/dev/null
    return $status
}

# How many times longer than its processor time work takes now, in hundredths: 100 where nothing else runs, 300 where two others want the same
# processor. For bounds on what the switch does within a time, if it gets a processor.
slower() {
    local i times TIMEFORMAT='%R %U %S'
    times=$({ time for ((i = 0; i < 30000; i++)); do :; done; } 2>&1)
    awk '{printf "%d", ($1 > $2 + $3 ? 100 * $1 / ($2 + $3) : 100)}' <<<"$times"
}

# background LOG COMMAND...: starts it with output in TEST_DIR/LOG.log, ended at exit; its pid is left in $PID
background() {
    local log=$1
    shift
    : >"$TEST_DIR/$log.log" # here: who waits for a line must not find that of an earlier process
    setsid setpriv --pdeathsig TERM "$@" >"$TEST_DIR/$log.log" 2>&1 </dev/null & # even a test that is killed ends it
    PID=$!
    on_exit pid "$PID"
}

. "$TEST_LIB/net.sh"
. "$TEST_LIB/sluice.sh"
