/* Balancing a bond's load: buckets move from members that send much to those that send little. Control thread only. */
#ifndef SRC_BRIDGE_BOND_BALANCE_H
#define SRC_BRIDGE_BOND_BALANCE_H

#include "src/bridge/bond.h"

/* Compares the loads of the enabled members and moves buckets, by the rules of Open vSwitch: not for a difference below
 * 3 % or 100 kB, nor for an improvement below a tenth of the way to equal loads. Then what was counted so far counts
 * half. True: buckets moved. */
bool bond_balance(struct bond *bond);

#endif
