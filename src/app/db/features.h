/* What the datapath can do, in Open vSwitch's words: for "dpif/show-dp-features" and for Datapath.capabilities of the
 * database, which controllers such as ovn-controller go by. A row says what is true, and changes with the code that
 * makes it so. */
#ifndef SRC_APP_DB_FEATURES_H
#define SRC_APP_DB_FEATURES_H

#include <stddef.h>

struct feature {
    const char *text;  /* "Max VLAN headers"; NULL: the command does not list it */
    const char *key;   /* "max_vlan_headers" (ovs-vswitchd.conf.db(5), table Datapath) */
    const char *value; /* "Yes", "No", or a number */
};

extern const struct feature features[];
extern const size_t n_features;

/* "Yes" as the database has it: "true". */
const char *feature_capability(const struct feature *feature);

/* Tells some of it in the log, in the words that scripts and tests look for there. */
void features_log(void);

#endif
