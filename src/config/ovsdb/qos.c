#include "src/config/ovsdb/qos.h"

#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/config/keys.h"
#include "src/ovsdb/vswitch.h"

/* A number of other_config in bits, or bytes, as what the model has: thousands of bits, more rather than less. */
static int take_kbit(const struct ovsdb *db, const struct ovsdb_row *row, unsigned column, const char *key,
                     unsigned bits)
{
    const char *text = ovsdb_map_string(db, row, column, key);
    char *end;
    unsigned long long number;

    if (!text)
        return 0;
    number = strtoull(text, &end, 10);
    if (!*text || *end || text[0] == '-') {
        LOG_WARN_RL(LOG_CONFIG, "database: %s=%s is no number: ignored", key, text);
        return 0;
    }
    number = number / 1000 * bits + (number % 1000 * bits + 999) / 1000;
    return number > INT32_MAX ? INT32_MAX : (int)number;
}

static enum config_qos_type type_of(const char *type)
{
    const struct config_choice *choice = config_key_find(&config_section_qos, "type")->choices;

    for (; choice->name; choice++)
        if (!strcmp(choice->name, type) && choice->value != CONFIG_QOS_NONE)
            return choice->value;
    LOG_WARN_RL(LOG_CONFIG, "database: QoS of type %s is not known: ignored", type);
    return CONFIG_QOS_NONE;
}

static void take_queue(const struct ovsdb *db, const struct ovsdb_row *row, struct config_queue *queue)
{
    const char *priority = ovsdb_map_string(db, row, VSWITCH_QUEUE_OTHER_CONFIG, "priority");
    unsigned long number = priority ? strtoul(priority, NULL, 10) : 0;

    queue->min_rate = take_kbit(db, row, VSWITCH_QUEUE_OTHER_CONFIG, "min-rate", 1);
    queue->max_rate = take_kbit(db, row, VSWITCH_QUEUE_OTHER_CONFIG, "max-rate", 1);
    queue->burst = take_kbit(db, row, VSWITCH_QUEUE_OTHER_CONFIG, "burst", 1);
    queue->priority = number > INT32_MAX ? INT32_MAX : (int)number;
    if (ovsdb_count(row, VSWITCH_QUEUE_DSCP))
        queue->dscp = (int)(ovsdb_integer(row, VSWITCH_QUEUE_DSCP, 0) & 63); /* the schema has 0 to 63 */
}

static int compare_queues(const void *a, const void *b)
{
    const struct config_queue *x = a, *y = b;

    return (x->queue > y->queue) - (x->queue < y->queue);
}

static void take_queues(const struct ovsdb *db, const struct ovsdb_row *row, struct config_qos *qos)
{
    const struct config_section *section = config_key_find(&config_section_qos, "queues")->section;

    for (uint32_t i = 0; i < ovsdb_count(row, VSWITCH_QOS_QUEUES); i++) {
        int64_t number = row->columns[VSWITCH_QOS_QUEUES].atoms[i * 2].integer;
        const struct ovsdb_row *queue = ovsdb_ref(db, row, VSWITCH_QOS_QUEUES, i);
        if (!queue || number < 0)
            continue;
        if (number > CONFIG_QUEUE_MAX) {
            LOG_WARN_RL(LOG_CONFIG, "database: queue %lld is left out: %d is the highest", (long long)number,
                        CONFIG_QUEUE_MAX);
            continue;
        }
        struct config_queue *wanted = config_section_append(section, (void **)&qos->queues, &qos->n_queues);
        wanted->queue = (int)number;
        take_queue(db, queue, wanted);
    }
    if (qos->n_queues)
        qsort(qos->queues, qos->n_queues, sizeof *qos->queues, compare_queues);
}

void config_qos_take(const struct ovsdb *db, const struct ovsdb_row *port, struct config_qos *qos)
{
    const struct ovsdb_row *row = ovsdb_count(port, VSWITCH_PORT_QOS) ? ovsdb_ref(db, port, VSWITCH_PORT_QOS, 0) : NULL;
    const char *type = row ? ovsdb_string(row, VSWITCH_QOS_TYPE) : NULL;

    if (!type || !type[0])
        return;
    qos->type = type_of(type);
    if (qos->type == CONFIG_QOS_EGRESS_POLICER) {
        qos->max_rate = take_kbit(db, row, VSWITCH_QOS_OTHER_CONFIG, "cir", 8);
        qos->burst = take_kbit(db, row, VSWITCH_QOS_OTHER_CONFIG, "cbs", 8);
        if (qos->max_rate)
            return;
        LOG_WARN_RL(LOG_CONFIG, "database: egress-policer without other_config:cir: ignored");
        qos->type = CONFIG_QOS_NONE;
        return;
    }
    qos->max_rate = take_kbit(db, row, VSWITCH_QOS_OTHER_CONFIG, "max-rate", 1);
    take_queues(db, row, qos);
}
