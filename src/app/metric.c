#include "src/app/metric.h"

#include <string.h>

uint64_t metric_value(const struct metric *metric, const void *snapshot)
{
    const char *at = (const char *)snapshot + metric->offset;
    uint64_t wide;
    uint32_t narrow;

    if (metric->size == sizeof wide) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, at, sizeof narrow);
    return narrow;
}

void metrics_to_json(const struct metric *metrics, size_t n, const void *snapshot, json_t *object)
{
    for (size_t i = 0; i < n; i++) {
        json_t *into = object;

        if (metrics[i].group[0]) {
            into = json_object_get(object, metrics[i].group);
            if (!into)
                json_object_set_new(object, metrics[i].group, into = json_object());
        }
        json_object_set_new(into, metrics[i].name, json_integer((json_int_t)metric_value(&metrics[i], snapshot)));
    }
}
