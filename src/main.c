/* sluiced: takes the command line, reads the configuration, starts DPDK, builds the switch, runs its event loop, takes
 * it down again. */
#include <malloc.h>
#include <rte_eal.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "pmd/base/memory.h"
#include "pmd/base/priority.h"
#include "src/app/daemon.h"
#include "src/app/db/db.h"
#include "src/app/db/start.h"
#include "src/app/eal.h"
#include "src/app/notify.h"
#include "src/app/options.h"
#include "src/app/run_dir.h"
#include "src/app/switch.h"
#include "src/control/commands.h"
#include "src/config/json.h"
#include "src/net/library_memory.h"

/* What a slow reader of the log gets at the end to take the last lines. */
#define LOG_FINISH_MS 200

/* The signal that came before the event loop was there to take it. */
static volatile sig_atomic_t early_signal;

static void on_early_signal(int number)
{
    early_signal = number;
}

/* A start takes seconds; whoever ends it finds nothing left behind. A second signal ends it at once. */
static void take_early_signals(void)
{
    const struct sigaction action = {.sa_handler = on_early_signal, .sa_flags = SA_RESTART | SA_RESETHAND};

    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    signal(SIGHUP, SIG_IGN); /* the file is being read anyway */
}

/* EAL is up. */
static int run_switch(const struct options *options, struct config *config)
{
    static struct sluice sw;
    char error[1024] = "";

    if (early_signal)
        return 0;
    struct db *db = NULL;
    int status = switch_create(&sw, options, config, error, sizeof error) ? 1 : 0;
    if (!status && config->ovsdb.remote)
        status = (db = db_create(&sw, error, sizeof error)) ? 0 : 1;
    if (status) {
        LOG_EMER(LOG_MAIN, "%s", error);
    } else if (!early_signal) {
        commands_register(&sw);
        LOG_INFO(LOG_MAIN, "sluiced %s is ready: %zu bridges, %u poll-mode threads, run_dir %s", SLUICE_VERSION,
                 switch_n_bridges(&sw), datapath_n_threads(sw.dp), config->run_dir);
        if (options->source == OPTIONS_JSON) { /* else it is ready when the database was answered */
            daemonize_complete();
            notify("READY=1");
        }
        memory_set_starting(false);
        loop_run(sw.loop); /* until "exit", SIGTERM or SIGINT */
        daemon_stopping();
        notify("STOPPING=1");
    }
    db_destroy(db);
    switch_destroy(&sw);
    return status;
}

static int run(const struct options *options, struct config *config)
{
    char error[1024] = "";
    int status = 1;

    if (options->source == OPTIONS_DATABASE ? run_dir_share(config->run_dir, error, sizeof error)
                                            : run_dir_create(config->run_dir, error, sizeof error)) {
        LOG_EMER(LOG_MAIN, "%s", error);
        return 1;
    }
    if (eal_start(config, error, sizeof error)) {
        LOG_EMER(LOG_MAIN, "%s", error);
    } else {
        status = run_switch(options, config);
        rte_eal_cleanup();
    }
    run_dir_remove(config->run_dir);
    return status;
}

static struct config *load(const struct options *options)
{
    struct config *config = NULL;
    struct config_faults faults = {0};

    if (config_load_file(options->config_path, &config, &faults))
        config_faults_print(&faults, stderr);
    config_faults_clear(&faults);
    return config;
}

/* Returns what run() does, in the process that is the switch. */
static int start(const struct options *options, struct config **config)
{
    char error[1024];

    if (options_open_log(options, error, sizeof error)) {
        fprintf(stderr, "%s: %s\n", options->program, error);
        return 1;
    }
    if (*config)
        log_set_level("any", config_log_level_name((*config)->log.level));
    options_set_levels(options);
    signal(SIGPIPE, SIG_IGN);
    if (daemon_start(&options->daemon, error, sizeof error)) {
        LOG_EMER(LOG_MAIN, "%s", error);
        return 1;
    }
    /* To give back what a million rules took is a step of 40 ms, in which no miss is handled. The next rules take it.
     */
    mallopt(M_TRIM_THRESHOLD, -1);
    take_early_signals();
    memory_set_starting(true);
    if (!*config)
        *config = db_start(options, &early_signal, error, sizeof error);
    int status = early_signal ? 0 : 1;
    if (*config)
        status = run(options, *config);
    else if (!early_signal)
        LOG_EMER(LOG_MAIN, "%s", error);
    daemon_end();
    return status;
}

int main(int argc, char **argv)
{
    static struct options options;
    int status = options_parse(options_source_of(argv[0]), argc, argv, &options);

    if (status >= 0)
        return status;
    priority_init();
    library_memory_init();
    if (options.check)
        return config_check(options.config_path, stdout);
    /* A file is looked at before anything is begun; a database is waited for in the background. */
    struct config *config = options.source == OPTIONS_JSON ? load(&options) : NULL;
    if (!config && options.source == OPTIONS_JSON)
        return 1;
    status = start(&options, &config);
    config_free(config);
    log_finish(LOG_FINISH_MS);
    return status;
}
