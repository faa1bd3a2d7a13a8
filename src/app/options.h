/* The command line, in two dialects: sluiced's own, whose argument is a JSON file, and that of Open vSwitch's daemon,
 * whose argument is a database, for the program started as "ovs-vswitchd". What both know means the same in both.
 * main()'s thread, once. */
#ifndef SRC_APP_OPTIONS_H
#define SRC_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "src/app/daemon.h"

/* The version of Open vSwitch that is kept to: its tools look at it. */
#define OPTIONS_OVS_VERSION "3.1.0"

enum options_source {
    OPTIONS_JSON,     /* sluiced */
    OPTIONS_DATABASE, /* ovs-vswitchd */
};

/* Strings are the caller's words, or belong to the struct; they stay for ever. */
struct options {
    enum options_source source;
    const char *program;     /* "sluiced", "ovs-vswitchd" */
    const char *config_path; /* OPTIONS_JSON: the file, absolute if the working directory is going to change */
    const char *remote;      /* OPTIONS_DATABASE: "unix:/run/openvswitch/db.sock" */
    bool check;              /* --check */
    struct daemon_options daemon;
    const char *unixctl;   /* --unixctl; NULL: options_control_path() */
    bool system_routes;    /* the kernel's routing tables are looked at */
    bool self_confinement; /* Unix sockets of controllers outside of run_dir are refused */

    const char *log_file; /* --log-file, absolute; NULL: none */
    const char *log_only; /* --log: instead of standard error */
    const char *syslog;   /* the daemon's socket; NULL: no syslog */
    const char **levels;  /* -v, in order */
    size_t n_levels;

    /* TLS; NULL: not given. */
    const char *private_key, *certificate, *ca_cert, *bootstrap_ca_cert, *peer_ca_cert;

    /* Directories of Open vSwitch: OVS_RUNDIR, OVS_LOGDIR, OVS_DBDIR, OVS_SYSCONFDIR in the environment. */
    const char *run_dir, *log_dir, *db_dir, *sysconf_dir;
};

/* Which dialect a program of that name speaks (argv[0]). */
enum options_source options_source_of(const char *argv0);

/* Reads the command line; prints what --help, --version or a fault give reason to. Returns -1: go on; else the exit
 * status. */
int options_parse(enum options_source source, int argc, char **argv, struct options *options);

/* Opens the log where the options want it. Returns 0, or -1 with a sentence in `error`. */
int options_open_log(const struct options *options, char *error, size_t error_size);
/* Sets the levels that -v gave, over those of the configuration. */
void options_set_levels(const struct options *options);

/* The path of the control socket of this process, whose run_dir is `run_dir`. */
void options_control_path(const struct options *options, const char *run_dir, char *path, size_t size);

/* Writes the lines that --version and the command "version" print. The first ends in a number. */
void options_version(const struct options *options, char *text, size_t size);

#endif
