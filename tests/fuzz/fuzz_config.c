/* Arbitrary text as a configuration file: never a crash, a leak or an endless loop, and either a model or faults. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "src/config/json.h"
#include "src/config/verify.h"
#include "tests/fuzz/fuzz.h"

static void check_faults(const struct config_faults *faults, const char *text, size_t size)
{
    unsigned lines = 1;
    char *printed = NULL;
    size_t printed_size;
    FILE *out = open_memstream(&printed, &printed_size);

    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    config_faults_print(faults, out);
    fclose(out);
    /* A line of output for each, whatever the file has in its strings. */
    size_t printed_lines = 0;
    for (size_t i = 0; i < printed_size; i++)
        printed_lines += printed[i] == '\n';
    assert(printed_lines == faults->n + (faults->left_off ? 1 : 0));
    for (size_t i = 0; i < faults->n; i++) {
        assert(faults->items[i].line >= 1 && faults->items[i].line <= lines);
        assert(i == 0 || faults->items[i - 1].line <= faults->items[i].line);
    }
    free(printed);
}

static void check_model(const struct config *config)
{
    struct config_faults faults = {0};

    assert(config->run_dir && config->pmd.n_cores >= 1);
    for (size_t i = 0; i < config->n_bridges; i++) {
        const struct config_bridge *bridge = &config->bridges[i];

        assert(bridge->name && bridge->datapath_id);
        for (size_t j = 0; j < bridge->n_ports; j++) {
            const struct config_port *port = &bridge->ports[j];

            assert(port->name && port->ofport && port->vlan_mode != CONFIG_VLAN_UNSET);
            assert((port->type == CONFIG_PORT_DPDK) == (port->devargs != NULL));
            assert((port->type == CONFIG_PORT_VHOST_USER) == (port->path != NULL));
            assert(config_port_has_interface(port) == (port->ifname != NULL));
        }
    }
    config_verify(config, &faults);
    assert(faults.n == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config_faults faults = {0};
    struct config *config;
    int result = config_load_buffer((const char *)data, size, "fuzz.json", &config, &faults);

    assert((result == 0) == (config != NULL));
    assert((result == 0) == (faults.n == 0));
    check_faults(&faults, (const char *)data, size);
    if (config)
        check_model(config);
    config_faults_clear(&faults);
    config_free(config);
    return 0;
}
