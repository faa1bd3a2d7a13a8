#include "src/config/diff.h"

#include <stdio.h>
#include <string.h>

#include "src/config/keys.h"

struct config_bridge *config_find_bridge(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->n_bridges; i++)
        if (strcmp(config->bridges[i].name, name) == 0)
            return &config->bridges[i];
    return NULL;
}

struct config_port *config_find_port(const struct config_bridge *bridge, const char *name)
{
    for (size_t i = 0; i < bridge->n_ports; i++)
        if (strcmp(bridge->ports[i].name, name) == 0)
            return &bridge->ports[i];
    return NULL;
}

bool config_port_needs_replacing(const struct config_port *running, const struct config_port *wanted)
{
    for (size_t i = 0; i < config_section_port.n_keys; i++) {
        const struct config_key *key = &config_section_port.keys[i];

        if (key->change == CHANGE_REPLACE && !config_key_same(key, running, wanted))
            return true;
    }
    return false;
}

/* Lists are left to the caller, who knows which elements belong together. */
static void diff_section(const struct config_section *section, const void *running, const void *wanted,
                         const char *prefix, struct config_faults *faults)
{
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];
        char path[128];

        snprintf(path, sizeof path, "%s%s%s", prefix, prefix[0] ? "." : "", key->name);
        if (key->type == KEY_SECTION)
            diff_section(key->section, (const char *)running + key->offset, (const char *)wanted + key->offset, path,
                         faults);
        else if (key->change == CHANGE_RESTART && !config_key_same(key, running, wanted))
            config_faults_add(faults, 0, path,
                              "cannot change while sluiced runs: put the old value back, or restart it");
    }
}

void config_diff_fixed(const struct config *running, const struct config *wanted, struct config_faults *faults)
{
    diff_section(&config_root, running, wanted, "", faults);
    for (size_t i = 0; i < wanted->n_bridges; i++) {
        const struct config_bridge *now = config_find_bridge(running, wanted->bridges[i].name);
        char path[32];

        snprintf(path, sizeof path, "bridges[%zu]", i);
        if (now)
            diff_section(&config_section_bridge, now, &wanted->bridges[i], path, faults);
    }
}
