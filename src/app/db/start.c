#define MEM_WHAT "the database"

#include "src/app/db/start.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/hash.h"
#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "src/app/cores.h"
#include "src/app/hugepages.h"
#include "src/app/other_config.h"
#include "src/net/tls.h"
#include "src/ovsdb/vswitch.h"

#define LOOK_MS 100      /* at whether to stop */
#define HUGEPAGES_MB 512 /* without these nobody has made hugepages for a switch */

#define TOLD_MAX 256 /* sentences */

/* Each sentence once in the life of the process, however often the row changes. */
static void tell(void *arg, const char *sentence)
{
    static uint64_t told[TOLD_MAX];
    static size_t n;
    uint64_t hash = HASH_BASIS;

    for (const char *at = sentence; *at; at++)
        hash = hash_add(hash, (uint8_t)*at);
    hash = hash_finish(hash);
    for (size_t i = 0; i < n; i++)
        if (told[i] == hash)
            return;
    if (n < TOLD_MAX)
        told[n++] = hash;
    LOG_INFO(LOG_CONFIG, "database: %s", sentence);
}

/* The strings belong to the row and are valid until it changes. */
static struct other_config_pairs take_pairs(const struct ovsdb_row *root)
{
    const struct ovsdb_datum *words = &root->columns[VSWITCH_OPEN_VSWITCH_OTHER_CONFIG];
    struct other_config_pair *items = mem_calloc(words->n + 1, sizeof *items);

    for (uint32_t i = 0; i < words->n; i++)
        items[i] = (struct other_config_pair){words->atoms[2 * i].string, words->atoms[2 * i + 1].string};
    return (struct other_config_pairs){items, words->n};
}

/* --- what the switch was started with ------------------------------------ */

static struct other_config_pairs started;

static void note_start(const struct other_config_pairs *pairs)
{
    struct other_config_pair *items = mem_calloc(pairs->n + 1, sizeof *items);

    for (size_t i = 0; i < pairs->n; i++)
        items[i] = (struct other_config_pair){mem_strdup(pairs->items[i].key), mem_strdup(pairs->items[i].value)};
    started = (struct other_config_pairs){items, pairs->n};
}

void db_note_other_config(const struct options *options, const struct ovsdb_row *root)
{
    const struct other_config_pairs pairs = take_pairs(root);

    other_config_note(&pairs, options->source == OPTIONS_DATABASE ? &started : NULL, tell, NULL);
    free((void *)pairs.items);
}

/* PEM files of the command line; the database may name others later. */
static void take_tls(const struct options *options, struct config_tls *tls)
{
    const char *ca = options->ca_cert ? options->ca_cert : options->bootstrap_ca_cert;

    tls->peer_ca = options->peer_ca_cert;
    if (!options->private_key || !options->certificate || !ca)
        return;
    tls->bootstrap = ca == options->bootstrap_ca_cert;
    tls->private_key = mem_strdup(options->private_key);
    tls->certificate = mem_strdup(options->certificate);
    tls->ca_certificate = mem_strdup(ca);
}

struct config *db_start_model(const struct options *options, const struct ovsdb_row *root)
{
    const struct other_config_pairs pairs = take_pairs(root);
    struct other_config_machine machine = {.node_of = cores_node,
                                           .hugepages = hugepages_free_mb("/sys") >= HUGEPAGES_MB};
    struct config *config = config_default();

    config->pmd.cores_change = true;
    machine.cores = *cores_at_start();
    if (!started.items)
        note_start(&pairs);
    free(config->run_dir);
    config->run_dir = mem_strdup(options->run_dir);
    config->ovsdb.remote = mem_strdup(options->remote);
    take_tls(options, &config->tls);
    other_config_apply(&pairs, &machine, config, tell, NULL);
    config_complete(config, ""); /* there are no bridges yet */
    free((void *)pairs.items);
    return config;
}

/* --- waiting ------------------------------------------------------------- */

struct wait {
    const struct options *options;
    const volatile sig_atomic_t *stop;
    struct event_base *base;
    struct config *config;
};

static void on_changed(void *arg, struct ovsdb *ovsdb)
{
    struct wait *wait = arg;
    const struct ovsdb_row *root = ovsdb_first(ovsdb, VSWITCH_OPEN_VSWITCH);

    if (!root || wait->config)
        return;
    wait->config = db_start_model(wait->options, root);
    event_base_loopbreak(wait->base);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    struct wait *wait = arg;

    if (*wait->stop)
        event_base_loopbreak(wait->base);
}

static void run(struct wait *wait, struct tls *tls, char *error, size_t error_size)
{
    const struct timeval often = {.tv_usec = LOOK_MS * 1000};
    struct event *look = event_new(wait->base, -1, EV_PERSIST, on_look, wait);
    const struct ovsdb_params params = {
        .base = wait->base,
        .remote = wait->options->remote,
        .schema = &vswitch_schema,
        .tls = tls,
        .changed = on_changed,
        .arg = wait,
    };
    struct ovsdb *ovsdb = ovsdb_create(&params, error, error_size);

    if (ovsdb && look && event_add(look, &often) == 0)
        event_base_dispatch(wait->base);
    else if (ovsdb)
        snprintf(error, error_size, "cannot set up a timer: %s", strerror(errno));
    ovsdb_destroy(ovsdb);
    if (look)
        event_free(look);
}

struct config *db_start(const struct options *options, const volatile sig_atomic_t *stop, char *error,
                        size_t error_size)
{
    struct wait wait = {.options = options, .stop = stop, .base = event_base_new()};
    struct config_tls names = {0};
    struct tls *tls = NULL;
    struct tls_fault fault;

    *error = 0;
    if (!wait.base) {
        snprintf(error, error_size, "cannot set up an event loop: %s", strerror(errno));
        return NULL;
    }
    take_tls(options, &names);
    if (names.private_key) {
        const struct tls_files files = {
            .names = {[TLS_PRIVATE_KEY] = names.private_key,
                      [TLS_CERTIFICATE] = names.certificate,
                      [TLS_CA_CERTIFICATE] = names.ca_certificate},
            .peer_ca = names.peer_ca,
            .bootstrap = names.bootstrap,
        };
        tls = tls_create(&files, &fault);
        if (!tls)
            snprintf(error, error_size, "TLS: %s", fault.text);
    }
    if (!*error)
        run(&wait, tls, error, error_size);
    tls_free(tls);
    event_base_free(wait.base);
    free(names.private_key);
    free(names.certificate);
    free(names.ca_certificate);
    return wait.config;
}
