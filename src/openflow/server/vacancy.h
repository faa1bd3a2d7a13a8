/* Vacancy events: controllers are told when a table becomes nearly full, and when it no longer is (OpenFlow 1.4.1, 6.11
 * and 7.4.5). Control thread. */
#ifndef SRC_OPENFLOW_SERVER_VACANCY_H
#define SRC_OPENFLOW_SERVER_VACANCY_H

#include <stdbool.h>
#include <stdint.h>

#include "src/tables/pipeline.h"

struct of_server;

#define OF_TABLE_RULES_TOLD 1000000u /* max_entries of a table without a limit; nothing is reserved for them */

struct of_vacancy {
    unsigned n_enabled;
    bool enabled[PIPELINE_TABLES];
    bool is_low[PIPELINE_TABLES]; /* the next event is "up" */
};

/* Percent of the table that is free. */
unsigned of_table_vacancy(const struct pipeline *pipeline, uint8_t table_id);
/* The configuration of a table changed. */
void of_vacancy_configured(struct of_server *server, uint8_t table_id);
/* Rules came or went: sends what events are due. Cheap where no table is watched. */
void of_vacancy_run(struct of_server *server);

#endif
