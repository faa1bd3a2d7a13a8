/* sluiced: reads the configuration, starts DPDK, builds the switch, runs its event loop, takes it down again. */
#include <getopt.h>
#include <malloc.h>
#include <rte_eal.h>
#include <rte_version.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/app/eal.h"
#include "src/app/notify.h"
#include "src/app/run_dir.h"
#include "src/app/switch.h"
#include "src/control/commands.h"
#include "src/config/json.h"

/* What a slow reader of the log gets at the end to take the last lines. */
#define LOG_FINISH_MS 200

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: sluiced [OPTION...] CONFIG.json\n"
        "The Sluice switch, in the foreground. CONFIG.json is described in sluiced(8) and docs/configuration.md.\n\n"
        "  -c, --check      only validate CONFIG.json: exit status 0, or 1 and one line a fault\n"
        "  -l, --log FILE   append the log to FILE instead of standard error\n"
        "  -h, --help       this text\n"
        "  -V, --version    the version, and that of DPDK\n");
}

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
static int run_switch(struct config *config, const char *path)
{
    static struct sluice sw;
    char error[1024] = "";

    if (early_signal)
        return 0;
    int status = switch_create(&sw, config, error, sizeof error) ? 1 : 0;
    sw.config_path = path;
    if (status) {
        LOG_ERR(LOG_MAIN, "%s", error);
    } else if (!early_signal) {
        commands_register(&sw);
        LOG_INFO(LOG_MAIN, "sluiced %s is ready: %zu bridges, %u poll-mode threads, run_dir %s", SLUICE_VERSION,
                 config->n_bridges, datapath_n_threads(sw.dp), config->run_dir);
        notify("READY=1");
        switch_run(&sw);
        notify("STOPPING=1");
    }
    switch_destroy(&sw);
    return status;
}

static int run(struct config *config, const char *path)
{
    char error[1024] = "";
    int status = 1;

    take_early_signals();
    if (run_dir_create(config->run_dir, error, sizeof error)) {
        LOG_ERR(LOG_MAIN, "%s", error);
        return 1;
    }
    if (eal_start(config, error, sizeof error)) {
        LOG_ERR(LOG_MAIN, "%s", error);
    } else {
        status = run_switch(config, path);
        rte_eal_cleanup();
    }
    run_dir_remove(config->run_dir);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"check", no_argument, NULL, 'c'},
        {"log", required_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    const char *log_path = NULL;
    bool check = false;

    for (int opt; (opt = getopt_long(argc, argv, "cl:hV", options, NULL)) != -1;) {
        switch (opt) {
        case 'c':
            check = true;
            break;
        case 'l':
            log_path = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            printf("sluiced (Sluice) %s\n%s\n", SLUICE_VERSION, rte_version());
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind + 1 != argc) {
        usage(stderr);
        return 2;
    }
    if (check)
        return config_check(argv[optind], stdout);

    struct config *config = NULL;
    struct config_faults faults = {0};
    if (config_load_file(argv[optind], &config, &faults)) {
        config_faults_print(&faults, stderr);
        config_faults_clear(&faults);
        return 1;
    }
    config_faults_clear(&faults);
    int err = log_open(log_path);
    if (err) {
        fprintf(stderr, "sluiced: %s: cannot open the log: %s\n", log_path, strerror(-err));
        config_free(config);
        return 1;
    }
    log_set_level("any", config_log_level_name(config->log.level));
    signal(SIGPIPE, SIG_IGN);
    /* To give back what a million rules took is a step of 40 ms, in which no miss is handled. The next rules take it.
     */
    mallopt(M_TRIM_THRESHOLD, -1);
    int status = run(config, argv[optind]);
    config_free(config);
    log_finish(LOG_FINISH_MS);
    return status;
}
