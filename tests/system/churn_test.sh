#!/bin/bash
# Open vSwitch's database changed at random by ovs-vsctl beside traffic, the switch killed now and then: in the end it is what a fresh start from the
# same database is, and nothing is left when the database is empty. SEED=n STEPS=n for others than the usual.
# timeout: 900
# by name only
. "$(dirname "$0")/lib/harness.sh"
! is_ovs || { echo "it is what OVS does"; exit 0; }
. "$TEST_LIB/box.sh"

SEED=${SEED:-1} STEPS=${STEPS:-150}
box_make
ns_make hosts
background hosts ip netns exec "$(ns_name hosts)" sleep infinity
hosts=$PID
box_database
box ovs-vsctl --no-wait set Open_vSwitch . "other_config:pmd-cpu-mask=$(printf %x $((1 << PMD_CORE)))" other_config:pmd-maxsleep=500
ln -sf "$SLUICED" "$BOX/bin/ovs-vswitchd"
step "seed $SEED: $STEPS changes"
# What is freed is overwritten: who still reads it is seen.
box env "SLUICECTL=$SLUICECTL" MALLOC_PERTURB_=165 "$PYTHON" "$TEST_LIB/churn.py" "$SEED" "$STEPS" "$TEST_DIR" "$hosts" || { tail -60 "$TEST_DIR/commands.log"; fail "see above"; }
