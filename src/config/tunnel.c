#include "src/config/tunnel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/config/keys.h"

#define OPTIONS_MAX 32 /* more than there are keys */

const char *config_tunnel_type(const struct config_port *port)
{
    return config_choice_of(config_section_port.kind, port->type)->name;
}

/* The value of the key as text, which may be in `digits`; NULL: it was not given, or is the default. */
static const char *text_of(const struct config_tunnel *tunnel, const struct config_key *key, char digits[16])
{
    const char *field = (const char *)tunnel + key->offset;
    int number;

    switch (key->type) {
    case KEY_BOOL:
        if (*(const bool *)field == (key->default_int != 0))
            return NULL;
        return *(const bool *)field ? "true" : "false";
    case KEY_INT:
        number = *(const int *)field;
        snprintf(digits, 16, "%d", number);
        return number > 0 ? digits : NULL;
    default:
        return *(char *const *)field;
    }
}

int config_tunnel_parse(const struct config_port *port, struct tunnel_config *config, char *said, size_t said_size)
{
    const struct config_section *section = &config_section_tunnel;
    struct tunnel_option_text options[OPTIONS_MAX];
    char digits[OPTIONS_MAX][16];
    size_t n = 0;

    for (size_t i = 0; i < section->n_keys; i++) {
        const char *value = text_of(&port->tunnel, &section->keys[i], digits[n]);

        if (value)
            options[n++] = (struct tunnel_option_text){section->keys[i].name, value};
    }
    return tunnel_options_parse(port->name, config_tunnel_type(port), options, n, config, said, said_size);
}

void config_tunnel_take(struct config_tunnel *tunnel, const char *name, const char *value)
{
    const struct config_key *key = config_key_find(&config_section_tunnel, name);
    char *field;

    if (!key)
        return;
    field = (char *)tunnel + key->offset;
    switch (key->type) {
    case KEY_BOOL:
        if (!strcmp(value, "true") || !strcmp(value, "false"))
            *(bool *)field = !strcmp(value, "true");
        return;
    case KEY_INT:
        *(int *)field = atoi(value);
        return;
    default:
        free(*(char **)field);
        *(char **)field = mem_strdup(value);
    }
}
