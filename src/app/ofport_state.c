#define MEM_WHAT "the file of OpenFlow port numbers"

#include "src/app/ofport_state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"

struct ofport_state {
    struct apply *apply;
    struct apply_listener listener;
    char *path, *next_path; /* the file, and what it is while it is written */
    bool changed;
};

static void note_result(void *arg, const struct apply_result *result)
{
    struct ofport_state *state = arg;

    if (result->object != APPLY_OPTIONS && result->change != APPLY_NONE)
        state->changed = true;
}

static void add_port(void *arg, const char *bridge, const struct config_port *wanted, uint32_t ofport)
{
    json_t *all = arg, *ports = json_object_get(all, bridge);

    if (wanted->ofport != 0 || ofport == 0)
        return;
    if (!ports)
        json_object_set_new(all, bridge, ports = json_object());
    json_object_set_new(ports, wanted->name, json_integer(ofport));
}

static void write_file(const struct ofport_state *state, const json_t *all)
{
    if (json_dump_file(all, state->next_path, JSON_INDENT(1)) == 0 && rename(state->next_path, state->path) == 0)
        return;
    LOG_WARN_RL(LOG_CONFIG, "%s: %s: after a restart, ports without \"ofport\" may have other OpenFlow numbers",
                state->path, strerror(errno));
}

static void save(void *arg)
{
    struct ofport_state *state = arg;
    json_t *all;

    if (!state->changed)
        return;
    state->changed = false;
    all = json_object();
    apply_for_each_port(state->apply, add_port, all);
    if (json_object_size(all) > 0)
        write_file(state, all);
    else
        unlink(state->path);
    json_decref(all);
}

struct ofport_state *ofport_state_create(struct apply *apply, const char *run_dir)
{
    struct ofport_state *state = mem_calloc(1, sizeof *state);

    state->apply = apply;
    state->path = mem_asprintf("%s/ofports", run_dir);
    state->next_path = mem_asprintf("%s/ofports.new", run_dir);
    state->listener = (struct apply_listener){.arg = state, .result = note_result, .idle = save};
    apply_listen(apply, &state->listener);
    return state;
}

void ofport_state_destroy(struct ofport_state *state)
{
    if (!state)
        return;
    apply_unlisten(state->apply, &state->listener);
    free(state->path);
    free(state->next_path);
    free(state);
}

void ofport_state_recall(const struct ofport_state *state, struct config *config)
{
    json_t *all = json_load_file(state->path, 0, NULL);

    for (size_t i = 0; i < config->n_bridges; i++) {
        const struct config_bridge *bridge = &config->bridges[i];
        const json_t *ports = json_object_get(all, bridge->name);

        for (size_t j = 0; j < bridge->n_ports; j++) {
            json_int_t number = json_integer_value(json_object_get(ports, bridge->ports[j].name));

            if (number > 0 && number <= CONFIG_OFPORT_MAX)
                bridge->ports[j].ofport_last = (uint32_t)number;
        }
    }
    json_decref(all);
}
