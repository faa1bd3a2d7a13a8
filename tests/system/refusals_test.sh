#!/bin/bash
# What is refused over OpenFlow 1.3: actions, instructions, matches, flow, group and meter mods, each with its type and code, and with no effect.
. "$(dirname "$0")/lib/harness.sh"

ports=()
for n in 1 2 3; do
    ports+=("{ \"name\": \"p$n\", \"ofport\": $n, \"type\": \"tap\", \"ifname\": \"$TEST_ID-t$n\" }")
done
sluice_config '"fail_mode": "secure"' "${ports[@]}"
start_sluice
step "each message is refused for what it is"
PYTHONPATH=$TEST_LIB:$TOP/tests/conformance timeout 60 "$PYTHON" "$TEST_LIB/refusals.py" "${MGMT#unix:}"
stop_sluice
