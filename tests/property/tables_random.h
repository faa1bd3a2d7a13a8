/* Random flow_mods and packets for tables_test, in the words of the model. Out of few values, so that matches are
 * equal, overlap and cover each other often.
 */
#ifndef TESTS_PROPERTY_TABLES_RANDOM_H
#define TESTS_PROPERTY_TABLES_RANDOM_H

#include "tests/property/tables_model.h"

#define TABLES 4
#define TABLES_PORTS 5 /* that rules send to: those of the bed */

/* Who sends. Without table ids an OpenFlow 1.0 client adds to table 0, and changes and deletes in all. */
enum sender { SENDER_10, SENDER_10_TABLES, SENDER_13, SENDER_14, SENDER_15, N_SENDERS };

/* `of10`: only what an OpenFlow 1.0 match can say. */
void random_row(struct row *row, bool of10);
/* What `sender` could ask for; often about rules that `model` has. */
void random_mod(enum sender sender, const struct model *model, struct model_mod *mod);
void random_packet_columns(uint64_t p[N_COLUMNS]);

#endif
