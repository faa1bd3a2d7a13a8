#include "src/config/diff.h"

#include <stdio.h>

#include "src/config/keys.h"

bool config_port_needs_replacing(const struct config_port *running, const struct config_port *wanted)
{
    for (size_t i = 0; i < config_section_port.n_keys; i++) {
        const struct config_key *key = &config_section_port.keys[i];

        if (key->change == CHANGE_REPLACE && !config_key_same(key, running, wanted))
            return true;
    }
    return false;
}

/* Lists of sections are left out: their keys can all change while the switch runs, if need be by making the element
 * again. */
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
}
