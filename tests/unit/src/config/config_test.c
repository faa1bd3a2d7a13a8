/* The configuration file: good ones, and broken ones with the faults that they must give. */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <cmocka.h>

#include "src/config/diff.h"
#include "src/config/identity.h"
#include "src/config/json.h"
#include "src/config/keys.h"
#include "src/net/target.h"
#include "src/config/verify.h"
#include "tests/lib/scratch.h"

/* SOURCE_TOP is the top of the tree, set by the build. */
#define BROKEN_DIR SOURCE_TOP "/tests/unit/src/config/config_broken"

static char *faults_text(const struct config_faults *faults)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    config_faults_print(faults, out);
    fclose(out);
    return text;
}

static struct config *load(const char *text)
{
    struct config_faults faults = {0};
    struct config *config;
    int result = config_load_buffer(text, strlen(text), "test.json", &config, &faults);

    if (result != 0)
        config_faults_print(&faults, stderr);
    assert_int_equal(result, 0);
    assert_int_equal(faults.n, 0);
    config_faults_clear(&faults);
    return config;
}

static char *read_text(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t size = 0;

    assert_non_null(in);
    if (getdelim(&text, &size, '\0', in) < 0)
        text[0] = '\0';
    fclose(in);
    return text;
}

static int is_json(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 5 && strcmp(entry->d_name + len - 5, ".json") == 0;
}

/* Loads every broken file; what is printed, all files together, is the file "expected". To see what a change does to
 * it: CONFIG_BROKEN_OUT=FILE writes what was printed. */
static void broken_files_give_the_expected_faults(void **state)
{
    struct dirent **entries;
    int n = scandir(BROKEN_DIR, &entries, is_json, alphasort);
    char *text, *expected = read_text(BROKEN_DIR "/expected");
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_true(n >= 50);
    assert_int_equal(chdir(BROKEN_DIR), 0);
    for (int i = 0; i < n; i++) {
        struct config_faults faults = {0};
        struct config *config;

        assert_int_equal(config_load_file(entries[i]->d_name, &config, &faults), -EINVAL);
        assert_null(config);
        assert_true(faults.n >= 1);
        for (size_t j = 0; j < faults.n; j++)
            assert_true(faults.items[j].line >= 1);
        config_faults_print(&faults, out);
        config_faults_clear(&faults);
        free(entries[i]);
    }
    free(entries);
    fclose(out);

    const char *copy = getenv("CONFIG_BROKEN_OUT");
    if (copy) {
        FILE *file = fopen(copy, "w");

        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    /* Line by line, so that a difference is shown with its line. */
    char *got_rest, *expected_rest;
    char *got_line = strtok_r(text, "\n", &got_rest), *expected_line = strtok_r(expected, "\n", &expected_rest);
    while (got_line && expected_line) {
        assert_string_equal(got_line, expected_line);
        got_line = strtok_r(NULL, "\n", &got_rest);
        expected_line = strtok_r(NULL, "\n", &expected_rest);
    }
    assert_null(got_line);
    assert_null(expected_line);
    free(text);
    free(expected);
}

static void truncated_files_never_crash(void **state)
{
    char *text = read_text(SOURCE_TOP "/config/physical-ports.json");

    for (size_t len = 0; len + 2 < strlen(text); len++) {
        struct config_faults faults = {0};
        struct config *config;
        char *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read behind the end */

        memcpy(exact, text, len);
        assert_int_equal(config_load_buffer(exact, len, "short.json", &config, &faults), -EINVAL);
        assert_null(config);
        assert_int_equal(faults.n, 1);
        config_faults_clear(&faults);
        free(exact);
    }
    free(text);
}

static void samples_are_good(void **state)
{
    static const char *const samples[] = {"quickstart", "nfv-two-vms", "containers", "physical-ports"};

    for (size_t i = 0; i < 3; i++) {
        char path[512];

        snprintf(path, sizeof path, "%s/config/%s.json", SOURCE_TOP, samples[i]);
        assert_int_equal(config_check(path, stderr), 0);
    }
}

static void defaults_are_set(void **state)
{
    struct config *config = load("{\"pmd\":{\"cores\":[3]},\"bridges\":[{\"name\":\"br0\",\"ports\":["
                                 "{\"name\":\"t1\",\"ofport\":7,\"type\":\"tap\"},"
                                 "{\"name\":\"v1\",\"ofport\":8,\"type\":\"vhost-user\",\"path\":\"/x\"}]}]}");
    const struct config_bridge *bridge = &config->bridges[0];
    const struct config_port *tap = &bridge->ports[0], *vhost = &bridge->ports[1];

    assert_string_equal(config->run_dir, "/run/sluice");
    assert_true(config->dpdk.hugepages);
    assert_int_equal(config->dpdk.n_eal_args, 0);
    assert_int_equal(config->dpdk.mbufs, 0);
    assert_int_equal(config->pmd.n_cores, 1);
    assert_int_equal(config->pmd.cores[0], 3);
    assert_int_equal(config->pmd.emc_entries, 262144);
    assert_int_equal(config->pmd.megaflow_limit, 1000000);
    assert_int_equal(config->pmd.max_masks, 64);
    assert_int_equal(config->pmd.miss_ring, 4096);
    assert_int_equal(config->control.core, CONFIG_CORE_NONE);
    assert_int_equal(config->log.level, CONFIG_LOG_INFO);
    assert_int_equal(bridge->fail_mode, CONFIG_FAIL_STANDALONE);
    assert_int_equal(bridge->inactivity_probe, 5000);
    assert_int_equal(bridge->mac_table_size, 8192);
    assert_int_equal(bridge->max_rules, 2000000);
    assert_int_equal(bridge->bundle_memory, 1024);
    assert_true(bridge->keep_rules);
    assert_int_equal(bridge->bundle_idle_timeout, 10);
    assert_int_equal(bridge->mac_aging_time, 300);
    assert_int_equal(tap->type, CONFIG_PORT_TAP);
    assert_int_equal(tap->ofport, 7);
    assert_string_equal(tap->ifname, "t1");
    assert_int_equal(tap->mtu, 1500);
    assert_int_equal(tap->rx_queues, 1);
    assert_int_equal(tap->tag, CONFIG_TAG_NONE);
    assert_int_equal(tap->vlan_mode, CONFIG_VLAN_TRUNK);
    assert_true(tap->flood);
    assert_int_equal(vhost->mode, CONFIG_VHOST_CLIENT);
    assert_null(vhost->ifname);
    config_free(config);
}

static void every_key_is_read(void **state)
{
    struct config *config = load(
        "{\"run_dir\":\"/tmp/"
        "s\",\"dpdk\":{\"eal_args\":[\"-m\",\"64\"],\"hugepages\":false,\"mbufs\":2048,\"mbuf_size\":4096},"
        "\"pmd\":{\"cores\":[0,2],\"max_sleep_us\":100,\"emc_entries\":1024,\"megaflow_limit\":5000,\"max_masks\":8,\"max_idle_ms\":900,"
        "\"miss_ring\":64},\"control\":{\"core\":1},\"log\":{\"level\":\"dbg\"},"
        "\"bridges\":[{\"name\":\"a\",\"datapath_id\":\"00000000DEADbeef\",\"fail_mode\":\"secure\","
        "\"controllers\":[\"tcp:192.0.2.1\",\"unix:/run/c\"],\"listen\":[\"punix:/run/l\"],\"inactivity_probe\":0,"
        "\"max_rules\":9,\"keep_rules\":false,\"bundle_memory\":3,\"bundle_idle_timeout\":4,\"mac_table_size\":10,\"mac_aging_time\":15,\"tables\":[{\"table\":254},{"
        "\"table\":3,\"max_entries\":7,"
        "\"eviction\":true}],\"ports\":["
        "{\"name\":\"p\",\"ofport\":65279,\"type\":\"dpdk\",\"devargs\":\"net_null0,no-rx=1\",\"rx_queues\":4,\"mtu\":"
        "9000,"
        "\"mac\":\"02:00:5e:00:00:FF\",\"vlan_mode\":\"native-untagged\",\"tag\":7,\"trunks\":[7,0,4095],\"flood\":"
        "false},"
        "{\"name\":\"v\",\"ofport\":2,\"type\":\"vhost-user\",\"path\":\"/run/v\",\"mode\":\"server\",\"socket_mode\":"
        "\"0620\",\"socket_owner\":\"root\",\"socket_group\":4711},"
        "{\"name\":\"l\",\"ofport\":\"LOCAL\",\"type\":\"tap\",\"ifname\":\"x0\",\"tag\":0}]}]}");
    const struct config_bridge *bridge = &config->bridges[0];
    const struct config_port *p = &bridge->ports[0], *v = &bridge->ports[1], *l = &bridge->ports[2];
    const uint8_t mac[6] = {2, 0, 0x5e, 0, 0, 0xff};

    assert_string_equal(config->run_dir, "/tmp/s");
    assert_string_equal(config->dpdk.eal_args[1], "64");
    assert_false(config->dpdk.hugepages);
    assert_int_equal(config->dpdk.mbufs, 2048);
    assert_int_equal(config->dpdk.mbuf_size, 4096);
    assert_int_equal(config->pmd.cores[1], 2);
    assert_int_equal(config->pmd.max_sleep_us, 100);
    assert_int_equal(config->pmd.emc_entries, 1024);
    assert_int_equal(config->pmd.megaflow_limit, 5000);
    assert_int_equal(config->pmd.max_masks, 8);
    assert_int_equal(config->pmd.max_idle_ms, 900);
    assert_int_equal(config->pmd.miss_ring, 64);
    assert_int_equal(config->control.core, 1);
    assert_int_equal(config->log.level, CONFIG_LOG_DBG);
    assert_int_equal(bridge->datapath_id, 0xdeadbeef);
    assert_int_equal(bridge->fail_mode, CONFIG_FAIL_SECURE);
    assert_int_equal(bridge->n_controllers, 2);
    assert_string_equal(bridge->controllers[1].target, "unix:/run/c");
    assert_string_equal(bridge->listen[0], "punix:/run/l");
    assert_int_equal(bridge->inactivity_probe, 0);
    assert_int_equal(bridge->mac_table_size, 10);
    assert_int_equal(bridge->max_rules, 9);
    assert_false(bridge->keep_rules);
    assert_int_equal(bridge->bundle_memory, 3);
    assert_int_equal(bridge->bundle_idle_timeout, 4);
    assert_int_equal(bridge->mac_aging_time, 15);
    assert_int_equal(bridge->n_tables, 2);
    assert_int_equal(bridge->tables[0].table, 254);
    assert_int_equal(bridge->tables[0].max_entries, 0);
    assert_false(bridge->tables[0].eviction);
    assert_int_equal(bridge->tables[1].max_entries, 7);
    assert_true(bridge->tables[1].eviction);
    assert_int_equal(p->ofport, CONFIG_OFPORT_MAX);
    assert_string_equal(p->devargs, "net_null0,no-rx=1");
    assert_int_equal(p->rx_queues, 4);
    assert_int_equal(p->mtu, 9000);
    assert_memory_equal(p->mac, mac, 6);
    assert_int_equal(p->vlan_mode, CONFIG_VLAN_NATIVE_UNTAGGED);
    assert_int_equal(p->tag, 7);
    assert_int_equal(p->n_trunks, 3);
    assert_int_equal(p->trunks[2], 4095);
    assert_false(p->flood);
    assert_int_equal(v->mode, CONFIG_VHOST_SERVER);
    assert_int_equal(l->ofport, CONFIG_OFPORT_LOCAL);
    assert_string_equal(l->ifname, "x0");
    assert_int_equal(l->vlan_mode, CONFIG_VLAN_ACCESS);
    assert_int_equal(config_largest_mtu(config), 9000);
    config_free(config);
}

static void datapath_id_follows_from_the_name(void **state)
{
    const char *text = "{\"pmd\":{\"cores\":[1]},\"bridges\":[{\"name\":\"br0\"},{\"name\":\"br1\"}]}";
    struct config *first = load(text), *second = load(text);

    assert_true(first->bridges[0].datapath_id != 0);
    assert_true(first->bridges[0].datapath_id == second->bridges[0].datapath_id);
    assert_true(first->bridges[0].datapath_id != first->bridges[1].datapath_id);
    config_free(first);
    config_free(second);
}

/* The identity of a machine with this file, of a switch with this run_dir. */
static const char *identity(const char *path, const char *id, const char *run_dir)
{
    static char *text;
    char file[256];

    free(text);
    snprintf(file, sizeof file, "%s/etc", scratch_dir());
    mkdir(file, 0700);
    snprintf(file, sizeof file, "%s/%s", scratch_dir(), path);
    FILE *out = fopen(file, "w");
    assert_non_null(out);
    fputs(id, out);
    fclose(out);
    text = config_identity(scratch_dir(), run_dir);
    assert_int_equal(unlink(file), 0);
    return text;
}

static uint64_t id_with(const char *identity)
{
    struct config *config = config_default();
    struct config_bridge *bridge = config_add_bridge(config);
    uint64_t id;

    bridge->name = strdup("br-int");
    config_complete(config, identity);
    id = bridge->datapath_id;
    config_free(config);
    return id;
}

#define ID "0123456789abcdef0123456789abcde"

static void datapath_ids_of_one_name_differ_between_switches(void **state)
{
    const char *path = "etc/machine-id";
    char host[256] = "", expect[512];
    uint64_t first = id_with(identity(path, ID "1\n", "/run/a"));

    assert_true(first >> 40 & 0x02 && !(first >> 40 & 0x01) && first >> 48 == 0);
    assert_true(id_with(identity(path, ID "1\n", "/run/a")) == first);
    assert_true(id_with(identity(path, ID "2\n", "/run/a")) != first);
    assert_true(id_with(identity(path, ID "1\n", "/run/b")) != first);
    /* The host's name stands in for a machine-id that is not there yet. */
    gethostname(host, sizeof host - 1);
    snprintf(expect, sizeof expect, "%s /run/a", host);
    assert_string_equal(identity(path, "uninitialized\n", "/run/a"), expect);
    assert_string_equal(identity(path, "", "/run/a"), expect);
    assert_string_equal(identity("etc/other", ID "1\n", "/run/a"), expect);
}

/* Ports that may share what others may not. */
static void neighbours_that_do_not_collide(void **state)
{
    config_free(load("{\"pmd\":{\"cores\":[1]},\"bridges\":[{\"name\":\"br0\",\"ports\":["
                     "{\"name\":\"a\",\"ofport\":1,\"type\":\"dpdk\",\"devargs\":\"0000:01:00.0,representor=[0]\"},"
                     "{\"name\":\"b\",\"ofport\":2,\"type\":\"dpdk\",\"devargs\":\"0000:01:00.0,representor=[1]\"}]},"
                     "{\"name\":\"br1\",\"ports\":["
                     "{\"name\":\"c\",\"ofport\":1,\"type\":\"dpdk\",\"devargs\":\"net_null0\"},"
                     "{\"name\":\"d\",\"ofport\":2,\"type\":\"dpdk\",\"devargs\":\"net_null1\"}]}]}"));
}

static void unreadable_files_are_explained(void **state)
{
    const char *dir = scratch_dir(), *path = scratch_path("none.json");
    struct config_faults faults = {0};
    struct config *config;
    char *text;

    assert_int_equal(config_load_file(dir, &config, &faults), -EISDIR);
    text = faults_text(&faults);
    assert_non_null(strstr(text, ": is a directory: give the path"));
    free(text);
    config_faults_clear(&faults);

    assert_int_equal(config_load_file(path, &config, &faults), -ENOENT);
    text = faults_text(&faults);
    assert_non_null(strstr(text, "/none.json: no such file"));
    free(text);
    config_faults_clear(&faults);

    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(ftruncate(fileno(out), CONFIG_FILE_MAX + 1), 0);
    fclose(out);
    assert_int_equal(config_load_file(path, &config, &faults), -EFBIG);
    assert_null(config);
    text = faults_text(&faults);
    assert_non_null(strstr(text, "larger than 4 MiB"));
    free(text);
    config_faults_clear(&faults);

    unlink(path);
}

static void endless_faults_are_cut_off(void **state)
{
    struct config_faults faults = {0};
    struct config *config;
    char *text, *printed;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    fprintf(out, "{\"pmd\":{\"cores\":[1]},\"bridges\":[]");
    for (int i = 0; i < CONFIG_FAULTS_MAX + 5; i++)
        fprintf(out, ",\n\"key%d\":%d", i, i);
    fprintf(out, "}");
    fclose(out);
    assert_int_equal(config_load_buffer(text, size, NULL, &config, &faults), -EINVAL);
    assert_int_equal(faults.n, CONFIG_FAULTS_MAX);
    assert_int_equal(faults.left_off, 5);
    printed = faults_text(&faults);
    assert_non_null(strstr(printed, "\nand 5 faults more\n"));
    assert_int_equal(strncmp(printed, "2: key0: unknown key", 20), 0);
    free(printed);
    free(text);
    config_faults_clear(&faults);
}

/* The model is checked the same when it does not come from a file. */
static void a_model_without_a_file_is_verified(void **state)
{
    struct config *config = config_default();
    struct config_faults faults = {0};

    for (int i = 0; i < 2; i++) {
        struct config_bridge *bridge = config_add_bridge(config);
        struct config_port *port = config_add_port(bridge);

        bridge->name = strdup(i ? "br1" : "br0");
        port->name = strdup("p");
        port->ofport = 1;
        port->type = i ? CONFIG_PORT_SYSTEM : CONFIG_PORT_TAP;
    }
    config_verify(config, &faults);
    char *text = faults_text(&faults);
    assert_string_equal(text,
                        "bridges[1].ports[0].name: the name p is already taken by bridges[0].ports[0].name: choose "
                        "another\n"
                        "bridges[1].ports[0].name: the interface name p is already taken by "
                        "bridges[0].ports[0].name: choose another\n");
    free(text);
    config_complete(config, "");
    assert_int_equal(config->bridges[0].ports[0].mtu, 1500);
    assert_int_equal(config->bridges[1].ports[0].mtu, 0); /* the interface's own */
    assert_string_equal(config->bridges[1].ports[0].ifname, "p");
    config_faults_clear(&faults);
    config_free(config);
}

static void targets_are_parsed(void **state)
{
    struct config_target target;
    const struct sockaddr_in *in4 = (const struct sockaddr_in *)&target.address;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&target.address;
    const struct sockaddr_un *sun = (const struct sockaddr_un *)&target.address;
    char why[256];

    assert_int_equal(config_target_parse("tcp:192.0.2.1", false, &target, why, sizeof why), 0);
    assert_false(target.passive);
    assert_int_equal(in4->sin_family, AF_INET);
    assert_int_equal(ntohs(in4->sin_port), 6653);
    assert_int_equal(ntohl(in4->sin_addr.s_addr), 0xc0000201);

    assert_int_equal(config_target_parse("tcp:[2001:db8::1]:6633", false, &target, why, sizeof why), 0);
    assert_int_equal(in6->sin6_family, AF_INET6);
    assert_int_equal(ntohs(in6->sin6_port), 6633);
    assert_int_equal(target.address_len, sizeof *in6);

    assert_int_equal(config_target_parse("ptcp:6654", true, &target, why, sizeof why), 0);
    assert_true(target.passive);
    assert_int_equal(in4->sin_addr.s_addr, INADDR_ANY);
    assert_int_equal(ntohs(in4->sin_port), 6654);

    assert_false(target.tls);
    assert_int_equal(config_target_parse("ssl:192.0.2.1", false, &target, why, sizeof why), 0);
    assert_true(target.tls);
    assert_int_equal(ntohs(in4->sin_port), 6653);
    assert_int_equal(config_target_parse("pssl:6654", true, &target, why, sizeof why), 0);
    assert_true(target.tls && target.passive);
    assert_int_equal(config_target_parse("ssl:192.0.2.1", true, &target, why, sizeof why), -EINVAL);

    assert_int_equal(config_target_parse("ptcp:6654:[::1]", true, &target, why, sizeof why), 0);
    assert_int_equal(in6->sin6_family, AF_INET6);

    assert_int_equal(config_target_parse("punix:/run/x.sock", true, &target, why, sizeof why), 0);
    assert_int_equal(sun->sun_family, AF_UNIX);
    assert_string_equal(sun->sun_path, "/run/x.sock");

    assert_int_equal(config_target_parse("ptcp:6654", false, &target, why, sizeof why), -EINVAL);
    assert_int_equal(config_target_parse("tcp:192.0.2.1", true, &target, why, sizeof why), -EINVAL);
    assert_int_equal(config_target_parse("tcp:[::1]x", false, &target, why, sizeof why), -EINVAL);
    assert_int_equal(config_target_parse("tcp:2001:db8::1", false, &target, why, sizeof why), -EINVAL);
}

static void check_key_tables(const struct config_section *section)
{
    assert_true(section->n_keys <= 64);
    for (size_t i = 0; i < section->n_keys; i++) {
        const struct config_key *key = &section->keys[i];

        assert_true(strlen(key->doc) > 5);
        assert_true(key->example || key->type == KEY_SECTION);
        assert_ptr_equal(config_key_find(section, key->name), key);
        assert_true(key->offset < section->size);
        if (key->type == KEY_ENUM)
            assert_non_null(key->choices);
        if (key->type == KEY_INT && !key->default_doc && !key->required)
            assert_true((key->default_int >= key->min && key->default_int <= key->max) ||
                        (key->default_int == 0 && key->zero));
        if (key->type == KEY_INTS || key->type == KEY_STRINGS || key->type == KEY_SECTIONS)
            assert_true(key->max_items > 0 && key->count_offset != key->offset);
        if (key->section)
            check_key_tables(key->section);
    }
}

static void key_tables_are_consistent(void **state)
{
    check_key_tables(&config_root);
}

static void what_takes_a_restart_is_told_from_what_does_not(void **state)
{
#define FILE(pmd, bridge, port)                                                                                        \
    "{\"pmd\":{\"cores\":[1]" pmd "},\"bridges\":[{\"name\":\"other\",\"ports\":[]},{\"name\":\"br0\"" bridge          \
    ",\"ports\":[{\"name\":\"p1\",\"ofport\":1,\"type\":\"dpdk\",\"devargs\":\"net_null0\"" port "}]}]}"
    struct config *running = load(FILE("", "", "")), *wanted;
    struct config_faults faults = {0};

    wanted = load(FILE("", ",\"fail_mode\":\"secure\",\"controllers\":[\"tcp:127.0.0.1\"]", ",\"trunks\":[1,2]"));
    config_diff_fixed(running, wanted, &faults);
    assert_int_equal(faults.n, 0);
    assert_false(config_port_needs_replacing(&running->bridges[1].ports[0], &wanted->bridges[1].ports[0]));
    config_free(wanted);

    wanted = load(FILE(",\"max_masks\":8,\"max_sleep_us\":9", "", ",\"rx_queues\":2"));
    config_diff_fixed(running, wanted, &faults);
    assert_int_equal(faults.n, 1);
    assert_string_equal(faults.items[0].path, "pmd.max_masks");
    assert_true(config_port_needs_replacing(&running->bridges[1].ports[0], &wanted->bridges[1].ports[0]));
    config_faults_clear(&faults);
    config_free(wanted);
    config_free(running);
#undef FILE
}

/* Of bridges and ports nothing takes a restart, and of what can change in place it is known what is to be done. */
static void every_key_of_an_element_can_change(void **state)
{
    const struct config_section *sections[] = {&config_section_bridge, &config_section_port, &config_section_bfd};

    for (size_t s = 0; s < sizeof sections / sizeof sections[0]; s++) {
        for (size_t i = 0; i < sections[s]->n_keys; i++) {
            const struct config_key *key = &sections[s]->keys[i];
            bool names = strcmp(key->name, "name") == 0 || strcmp(key->name, "ports") == 0;

            if (key->type == KEY_SECTION) /* its keys say it */
                continue;
            assert_int_not_equal(key->change, CHANGE_RESTART);
            assert_int_equal(key->part != 0, key->change == CHANGE_LIVE && !names);
        }
    }
}

static void a_controller_is_a_target_or_an_object(void **state)
{
    struct config *config =
        load("{\"pmd\":{\"cores\":[1]},\"bridges\":[{\"name\":\"br0\",\"ports\":[],\"controllers\":[\"tcp:127.0.0.1\","
             "{\"target\":\"unix:/run/c\",\"inactivity_probe\":0,\"max_backoff\":1000,\"rate_limit\":200,"
             "\"burst_limit\":30,\"enable_async\":false}]}]}");
    const struct config_controller *plain = &config->bridges[0].controllers[0], *own = plain + 1;

    assert_string_equal(plain->target, "tcp:127.0.0.1");
    assert_int_equal(plain->inactivity_probe, CONFIG_INHERIT);
    assert_int_equal(plain->rate_limit, CONFIG_INHERIT);
    assert_int_equal(plain->burst_limit, CONFIG_INHERIT);
    assert_int_equal(plain->max_backoff, 8000);
    assert_true(plain->enable_async);
    assert_string_equal(own->target, "unix:/run/c");
    assert_int_equal(own->inactivity_probe, 0);
    assert_int_equal(own->max_backoff, 1000);
    assert_int_equal(own->rate_limit, 200);
    assert_int_equal(own->burst_limit, 30);
    assert_false(own->enable_async);
    config_free(config);
}

static void parts_are_compared_copied_and_assigned(void **state)
{
#define BRIDGE(keys) "{\"pmd\":{\"cores\":[1]},\"bridges\":[{\"name\":\"br0\"," keys "}]}"
    struct config *a = load(BRIDGE("\"controllers\":[\"tcp:127.0.0.1\"],\"tables\":[{\"table\":1,\"max_entries\":5}],"
                                   "\"ports\":[]"));
    struct config *b = load(BRIDGE("\"controllers\":[\"unix:/run/c\"],\"tables\":[{\"table\":1,\"max_entries\":6}],"
                                   "\"mac_aging_time\":20,\"ports\":[{\"name\":\"p\",\"type\":\"tap\"}]"));
    struct config_bridge copy;

    assert_int_equal(config_section_diff(&config_section_bridge, &a->bridges[0], &b->bridges[0]),
                     CONFIG_PART_CONNECTIONS | CONFIG_PART_TABLES | CONFIG_PART_MACS);
    config_section_copy(&config_section_bridge, &copy, &b->bridges[0]);
    assert_true(config_section_same(&config_section_bridge, &copy, &b->bridges[0]));
    config_free(b);
    assert_string_equal(copy.controllers[0].target, "unix:/run/c");
    assert_int_equal(copy.ports[0].ofport, 0);

    config_section_assign(&config_section_bridge, &copy, &a->bridges[0], CONFIG_PART_CONNECTIONS | CONFIG_PART_MACS);
    assert_int_equal(config_section_diff(&config_section_bridge, &a->bridges[0], &copy), CONFIG_PART_TABLES);
    config_free(a);
    assert_string_equal(copy.controllers[0].target, "tcp:127.0.0.1");
    assert_int_equal(copy.tables[0].max_entries, 6);
    config_section_clear(&config_section_bridge, &copy);
#undef BRIDGE
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(key_tables_are_consistent),
        cmocka_unit_test(broken_files_give_the_expected_faults),
        cmocka_unit_test(truncated_files_never_crash),
        cmocka_unit_test(samples_are_good),
        cmocka_unit_test(defaults_are_set),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(datapath_id_follows_from_the_name),
        cmocka_unit_test(datapath_ids_of_one_name_differ_between_switches),
        cmocka_unit_test(neighbours_that_do_not_collide),
        cmocka_unit_test(unreadable_files_are_explained),
        cmocka_unit_test(what_takes_a_restart_is_told_from_what_does_not),
        cmocka_unit_test(every_key_of_an_element_can_change),
        cmocka_unit_test(a_controller_is_a_target_or_an_object),
        cmocka_unit_test(parts_are_compared_copied_and_assigned),
        cmocka_unit_test(endless_faults_are_cut_off),
        cmocka_unit_test(a_model_without_a_file_is_verified),
        cmocka_unit_test(targets_are_parsed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
