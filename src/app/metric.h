/* Numbers of a snapshot, described once: what each is called, what it means and where it is. Text, JSON, the database's
 * statistics and whatever else shows them are renderers of these tables. Constant data; any thread. */
#ifndef SRC_APP_METRIC_H
#define SRC_APP_METRIC_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum metric_type {
    METRIC_COUNTER, /* only grows, while the object lives */
    METRIC_GAUGE,
};

struct metric {
    const char *group;     /* "rx"; "": none */
    const char *name;      /* "packets": unique in its table together with the group */
    const char *statistic; /* what Open vSwitch calls it in its database, "rx_packets"; NULL: it knows no such thing */
    const char *help;
    enum metric_type type;
    uint16_t offset; /* in the snapshot */
    uint8_t size;    /* of the unsigned integer there: 4 or 8 */
};

#define METRIC(type_, struct_, member, group_, name_, statistic_, help_)                                               \
    {                                                                                                                  \
        .group = (group_), .name = (name_), .statistic = (statistic_), .help = (help_), .type = (type_),               \
        .offset = offsetof(struct_, member), .size = sizeof(((struct_ *)0)->member)                                    \
    }

uint64_t metric_value(const struct metric *metric, const void *snapshot);

/* Sets {name: value} in `object`, those of a group in an object of its name. */
void metrics_to_json(const struct metric *metrics, size_t n, const void *snapshot, json_t *object);

#endif
