/* metrics: the numbers of all kinds of objects for programs that collect such, in the text form of OpenMetrics 1.0. It
 * knows no object and no number by name: what there is stands in status_kinds[]. Control thread. */
#include <inttypes.h>
#include <stdlib.h>

#include "pmd/base/memory.h"
#include "src/app/status.h"
#include "src/control/commands.h"

/* A step is a number of all objects of a kind: what is called alike has to stand together. */
struct metrics {
    const struct sluice *sw;
    unsigned kind;
    size_t metric;
    char family[80];
    struct control_reply *reply; /* of the step */
};

static void name_family(struct metrics *metrics, const struct status_kind *kind, const struct metric *metric)
{
    snprintf(metrics->family, sizeof metrics->family, "sluice_%s_%s%s%s", kind->name, metric->group,
             metric->group[0] ? "_" : "", metric->name);
}

static void put_quoted(struct control_reply *reply, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            control_printf(reply, "\\n");
        else
            control_printf(reply, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
}

static void put_text(struct metrics *metrics, const struct metric *metric, uint64_t value, const char *const *labels)
{
    const struct status_kind *kind = &status_kinds[metrics->kind];
    struct control_reply *reply = metrics->reply;

    control_printf(reply, "%s%s", metrics->family, metric->type == METRIC_COUNTER ? "_total" : "");
    for (unsigned i = 0; i < kind->n_labels; i++) {
        control_printf(reply, "%s%s=\"", i == 0 ? "{" : ",", kind->labels[i]);
        put_quoted(reply, labels[i]);
        control_printf(reply, "\"");
    }
    control_printf(reply, "%s %" PRIu64 "\n", kind->n_labels > 0 ? "}" : "", value);
}

static void put_json(struct metrics *metrics, uint64_t value, const char *const *labels)
{
    const struct status_kind *kind = &status_kinds[metrics->kind];
    json_t *named = json_object();

    for (unsigned i = 0; i < kind->n_labels; i++)
        json_object_set_new(named, kind->labels[i], json_string(labels[i]));
    control_element(metrics->reply,
                    json_pack("{s:s,s:o,s:I}", "name", metrics->family, "labels", named, "value", (json_int_t)value));
}

static void put_number(void *arg, const void *snapshot, const char *const *labels)
{
    struct metrics *metrics = arg;
    const struct metric *metric = &status_kinds[metrics->kind].metrics[metrics->metric];
    const uint64_t value = metric_value(metric, snapshot);

    if (metrics->reply->as_json)
        put_json(metrics, value, labels);
    else
        put_text(metrics, metric, value, labels);
}

static bool metrics_more(void *arg, struct control_reply *reply)
{
    struct metrics *metrics = arg;
    const struct status_kind *kind = &status_kinds[metrics->kind];
    const struct metric *metric = &kind->metrics[metrics->metric];

    metrics->reply = reply;
    name_family(metrics, kind, metric);
    if (!reply->as_json)
        control_printf(reply, "# TYPE %s %s\n# HELP %s %s\n", metrics->family,
                       metric->type == METRIC_COUNTER ? "counter" : "gauge", metrics->family, metric->help);
    kind->for_each(metrics->sw, put_number, metrics);
    if (++metrics->metric == kind->n_metrics) {
        metrics->metric = 0;
        metrics->kind++;
    }
    if (metrics->kind < STATUS_N_KINDS)
        return true;
    if (!reply->as_json)
        control_printf(reply, "# EOF\n");
    return false;
}

static void cmd_metrics(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct metrics *metrics = calloc(1, sizeof *metrics);

    if (!metrics)
        out_of_memory("a command", 0);
    metrics->sw = arg;
    reply->stream = (struct control_stream){.more = metrics_more, .end = free, .arg = metrics};
}

void commands_register_metrics(struct control *control, struct sluice *sw)
{
    control_register(control, "metrics", "", 0, 0, cmd_metrics, sw);
}
