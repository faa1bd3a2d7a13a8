/* Reading the configuration file again while the switch runs. */
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/app/apply.h"
#include "src/app/switch.h"
#include "src/config/diff.h"
#include "src/config/json.h"

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

int switch_reload(struct sluice *sw, struct evbuffer *report)
{
    struct config_faults faults = {0};
    struct config *wanted = NULL;

    if (!config_load_file(sw->config_path, &wanted, &faults))
        config_diff_fixed(sw->config, wanted, &faults);
    if (!wanted || faults.n) {
        report_faults(&faults, report);
        config_faults_clear(&faults);
        config_free(wanted);
        return -1;
    }
    config_faults_clear(&faults);
    bool whole = apply_config(sw, wanted, report);
    if (!evbuffer_get_length(report))
        evbuffer_add_printf(report, "nothing differs\n");
    /* The struct stays where it is for those who point to it. */
    struct config was = *sw->config;
    *sw->config = *wanted;
    *wanted = was;
    config_free(wanted);
    return whole ? 0 : -1;
}
