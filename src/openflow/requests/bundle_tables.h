/* The table_mods of a bundle that is being committed. Control thread. */
#ifndef SRC_OPENFLOW_REQUESTS_BUNDLE_TABLES_H
#define SRC_OPENFLOW_REQUESTS_BUNDLE_TABLES_H

#include <stdbool.h>

#include "src/openflow/codec/msg.h"

struct of_server;

/* All zero = none. */
struct of_bundle_tables {
    bool any, configured[PIPELINE_TABLES];
};

/* Configures the tables for the rules of the bundle that follow. `mod` passed of_check_table_mod(). */
void of_bundle_tables_add(struct of_bundle_tables *tables, struct of_server *server, const struct of_table_config *mod);
/* Orders the rules of tables that may evict, for about `most` looks at rules. False: the next call goes on. */
bool of_bundle_tables_order(const struct of_bundle_tables *tables, struct of_server *server, size_t most);
/* The bundle is visible, and with it the configuration: vacancy events go by it. */
void of_bundle_tables_applied(const struct of_bundle_tables *tables, struct of_server *server);

#endif
