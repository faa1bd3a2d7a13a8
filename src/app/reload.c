/* Reading the configuration file again while the switch runs. */
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/apply.h"
#include "src/app/ofport_state.h"
#include "src/app/switch.h"
#include "src/config/diff.h"
#include "src/config/json.h"

struct reload {
    struct apply *apply;
    struct apply_listener listener;
    reload_done_fn *done;
    void *arg;
    struct config *wanted;
    struct evbuffer *lines;
    json_t *objects;
    bool failed;
};

static void report_faults(const struct config_faults *faults, struct evbuffer *report)
{
    char *text = NULL;
    size_t size;
    FILE *lines = open_memstream(&text, &size);

    if (!lines)
        return;
    config_faults_print(faults, lines);
    fclose(lines);
    evbuffer_add_printf(report, "%snothing was changed\n", text);
    for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        LOG_ERR(LOG_CONFIG, "%s", line);
    LOG_ERR(LOG_CONFIG, "nothing was changed");
    free(text);
}

static json_t *object_of(const struct apply_result *result)
{
    static const char *const objects[] = {
        [APPLY_OPTIONS] = "options", [APPLY_BRIDGE] = "bridge", [APPLY_PORT] = "port"};
    static const char *const changes[] = {
        [APPLY_NONE] = "none",       [APPLY_ADDED] = "added",     [APPLY_REPLACED] = "replaced",
        [APPLY_CHANGED] = "changed", [APPLY_REMOVED] = "removed",
    };

    return json_pack("{s:s,s:s,s:s,s:s,s:I,s:s,s:s?}", "object", objects[result->object], "bridge", result->bridge,
                     "port", result->port, "change", changes[result->change], "ofport", (json_int_t)result->ofport,
                     "detail", result->detail, "error", result->error);
}

static void note_result(void *arg, const struct apply_result *result)
{
    struct reload *reload = arg;
    char text[1024];

    apply_result_text(result, text, sizeof text);
    if (!text[0])
        return;
    reload->failed |= result->error != NULL;
    evbuffer_add_printf(reload->lines, "%s\n", text);
    json_array_append_new(reload->objects, object_of(result));
}

static void finish(void *arg)
{
    struct reload *reload = arg;

    apply_unlisten(reload->apply, &reload->listener);
    if (!evbuffer_get_length(reload->lines))
        evbuffer_add_printf(reload->lines, "nothing differs\n");
    if (reload->done) {
        reload->done(reload->arg, reload->failed, reload->lines, reload->objects);
    } else {
        evbuffer_free(reload->lines);
        json_decref(reload->objects);
    }
    free(reload);
}

int switch_reload(struct sluice *sw, struct evbuffer *report, reload_done_fn *done, void *arg)
{
    struct config_faults faults = {0};
    struct config *wanted = NULL;
    struct reload *reload;

    if (!sw->config_path) {
        evbuffer_add_printf(report, "the configuration is the database %s, whose changes need no reload\n",
                            sw->config->ovsdb.remote);
        return -1;
    }
    if (!config_load_file(sw->config_path, &wanted, &faults))
        config_diff_fixed(sw->config, wanted, &faults);
    if (!wanted || faults.n) {
        report_faults(&faults, report);
        config_faults_clear(&faults);
        config_free(wanted);
        return -1;
    }
    config_faults_clear(&faults);
    reload = mem_calloc(1, sizeof *reload);
    *reload =
        (struct reload){.apply = sw->apply, .done = done, .arg = arg, .lines = evbuffer_new(), .objects = json_array()};
    reload->listener = (struct apply_listener){.arg = reload, .result = note_result, .idle = finish};
    apply_listen(sw->apply, &reload->listener);
    if (sw->source.set_options)
        sw->source.set_options(sw->source.arg, wanted);
    else
        apply_set_all(sw->apply, wanted);
    config_free(wanted);
    return 0;
}
