#define MEM_WHAT "the command line"

#include "src/app/options.h"

#include <getopt.h>
#include <limits.h>
#include <rte_version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/log.h"
#include "pmd/base/mem.h"
#include "pmd/base/memory.h"
#include "src/app/vlog.h"

#define SYSLOG_SOCKET "/dev/log"

enum {
    OPT_BOOTSTRAP_CA_CERT = UCHAR_MAX + 1,
    OPT_DETACH,
    OPT_DISABLE_SYSTEM_ROUTE,
    OPT_IGNORED,
    OPT_LOG_FILE,
    OPT_MLOCKALL,
    OPT_MONITOR,
    OPT_NO_CHDIR,
    OPT_NO_SELF_CONFINEMENT,
    OPT_OVERWRITE_PIDFILE,
    OPT_PEER_CA_CERT,
    OPT_PIDFILE,
    OPT_SYSLOG_METHOD,
    OPT_SYSLOG_TARGET,
    OPT_UNIXCTL,
    OPT_USER,
};

#define DAEMON_OPTIONS                                                                                                 \
    {"detach", no_argument, NULL, OPT_DETACH}, {"help", no_argument, NULL, 'h'},                                       \
        {"log-file", optional_argument, NULL, OPT_LOG_FILE}, {"mlockall", no_argument, NULL, OPT_MLOCKALL},            \
        {"monitor", no_argument, NULL, OPT_MONITOR}, {"no-chdir", no_argument, NULL, OPT_NO_CHDIR},                    \
        {"overwrite-pidfile", no_argument, NULL, OPT_OVERWRITE_PIDFILE},                                               \
        {"pidfile", optional_argument, NULL, OPT_PIDFILE},                                                             \
        {"syslog-method", required_argument, NULL, OPT_SYSLOG_METHOD},                                                 \
        {"unixctl", required_argument, NULL, OPT_UNIXCTL}, {"user", required_argument, NULL, OPT_USER},                \
        {"verbose", optional_argument, NULL, 'v'}, {"version", no_argument, NULL, 'V'},                                \
    {                                                                                                                  \
        0                                                                                                              \
    }

static const struct option json_options[] = {
    {"check", no_argument, NULL, 'c'},
    {"log", required_argument, NULL, 'l'},
    DAEMON_OPTIONS,
};

static const struct option database_options[] = {
    {"bootstrap-ca-cert", required_argument, NULL, OPT_BOOTSTRAP_CA_CERT},
    {"ca-cert", required_argument, NULL, 'C'},
    {"certificate", required_argument, NULL, 'c'},
    {"no-self-confinement", no_argument, NULL, OPT_NO_SELF_CONFINEMENT},
    {"peer-ca-cert", required_argument, NULL, OPT_PEER_CA_CERT},
    {"private-key", required_argument, NULL, 'p'},
    {"syslog-target", required_argument, NULL, OPT_SYSLOG_TARGET},
    /* There is one datapath, the kernel's module is not used, and OpenSSL's defaults for protocols and ciphers are
     * those of the system. */
    {"disable-system", no_argument, NULL, OPT_IGNORED},
    {"disable-system-route", no_argument, NULL, OPT_DISABLE_SYSTEM_ROUTE},
    {"ssl-ciphers", required_argument, NULL, OPT_IGNORED},
    {"ssl-protocols", required_argument, NULL, OPT_IGNORED},
    DAEMON_OPTIONS,
};

static void usage(const struct options *o, FILE *out)
{
    if (o->source == OPTIONS_DATABASE)
        fprintf(out,
                "ovs-vswitchd: Sluice in the place of Open vSwitch's daemon\n"
                "usage: ovs-vswitchd [OPTIONS] [DATABASE]\n"
                "where DATABASE is a socket on which ovsdb-server is listening\n"
                "      (default: \"unix:%s/db.sock\").\n\n"
                "Database connections: unix:FILE, tcp:HOST:PORT, ssl:HOST:PORT\n\n"
                "TLS:\n"
                "  -p, --private-key=FILE    file with private key\n"
                "  -c, --certificate=FILE    file with certificate for private key\n"
                "  -C, --ca-cert=FILE        file with peer CA certificate\n"
                "  --bootstrap-ca-cert=FILE  file with peer CA certificate to read or create\n"
                "  --peer-ca-cert=FILE       file with the CA certificate to send to peers\n",
                o->run_dir);
    else
        fprintf(out, "usage: sluiced [OPTION...] CONFIG.json\n"
                     "The Sluice switch. CONFIG.json is described in sluice.json(5) and docs/configuration.md.\n\n"
                     "  -c, --check             only validate CONFIG.json: exit status 0, or 1 and one line a fault\n"
                     "  -l, --log FILE          append the log to FILE instead of standard error\n");
    fprintf(out,
            "\nDaemon:\n"
            "  --detach                run in the background; return when the switch is ready\n"
            "  --monitor               start the switch again when a signal ends it\n"
            "  --pidfile[=FILE]        make a pidfile%s\n"
            "  --overwrite-pidfile     with --pidfile, start even if one is running\n"
            "  --no-chdir              do not change to \"/\"\n"
            "  --user=USER[:GROUP]     run as that user\n"
            "  --mlockall              keep memory from being swapped out\n"
            "  --unixctl=SOCKET        the control socket\n"
            "\nLog:\n"
            "  -vSPEC, --verbose=SPEC  levels: COMPONENT:FACILITY:LEVEL, see vlog/set in sluicectl(8); without: dbg\n"
            "  --log-file[=FILE]       append the log to FILE%s\n"
            "  --syslog-method=METHOD  libc, unix:SOCKET, or null\n"
            "\n"
            "  -h, --help              this text\n"
            "  -V, --version           the versions\n",
            o->source == OPTIONS_DATABASE ? " (default: ovs-vswitchd.pid in the run directory)" : "",
            o->source == OPTIONS_DATABASE ? " (default: ovs-vswitchd.log in the log directory)" : "");
}

/* Strings that were put together: options point to them until the process ends. */
static struct {
    char **list;
    size_t n;
} kept;

static char *format(const char *pattern, ...) __attribute__((format(printf, 1, 2)));

static char *format(const char *pattern, ...)
{
    va_list args;
    char *text;

    va_start(args, pattern);
    if (vasprintf(&text, pattern, args) < 0)
        out_of_memory("an option", 0);
    va_end(args);
    kept.list = mem_realloc(kept.list, kept.n + 1, sizeof *kept.list);
    kept.list[kept.n++] = text;
    return text;
}

static const char *from_environment(const char *name, const char *value)
{
    const char *given = getenv(name);

    return given && *given ? given : value;
}

/* `path` from `directory`, or from the working directory if that is NULL. */
static const char *absolute(const char *directory, const char *path)
{
    char here[PATH_MAX];

    if (*path == '/')
        return path;
    if (!directory)
        directory = getcwd(here, sizeof here);
    return directory ? format("%s/%s", directory, path) : path;
}

enum options_source options_source_of(const char *argv0)
{
    const char *slash = strrchr(argv0, '/');

    return strcmp(slash ? slash + 1 : argv0, "ovs-vswitchd") ? OPTIONS_JSON : OPTIONS_DATABASE;
}

static int fault(const struct options *o, const char *text, const char *value)
{
    fprintf(stderr, "%s: %s%s; use --help for usage\n", o->program, value, text);
    return o->source == OPTIONS_DATABASE ? 1 : 2;
}

static int take_level(struct options *o, const char *spec)
{
    char error[256];

    if (vlog_set(spec, error, sizeof error)) {
        fprintf(stderr, "%s: -v%s: %s\n", o->program, spec, error);
        return o->source == OPTIONS_DATABASE ? 1 : 2;
    }
    o->levels = reallocarray(o->levels, o->n_levels + 1, sizeof *o->levels);
    if (!o->levels)
        out_of_memory("an option", 0);
    o->levels[o->n_levels++] = spec;
    return -1;
}

static int take_syslog_method(struct options *o, const char *method)
{
    if (!strcmp(method, "null"))
        o->syslog = NULL;
    else if (!strcmp(method, "libc"))
        o->syslog = SYSLOG_SOCKET;
    else if (!strncmp(method, "unix:", 5))
        o->syslog = method + 5;
    else
        return fault(o, ": not a method of --syslog-method: libc, unix:SOCKET or null", method);
    return -1;
}

static int take_version(const struct options *o)
{
    char text[256];

    options_version(o, text, sizeof text);
    printf("%s%s\n", text, rte_version());
    return 0;
}

/* Returns -1 to go on, or the exit status. */
static int take_option(struct options *o, int option, const char *value)
{
    const char *directory = o->source == OPTIONS_DATABASE ? o->run_dir : NULL;

    switch (option) {
    case 'c':
        if (o->source == OPTIONS_JSON)
            o->check = true;
        else
            o->certificate = value;
        return -1;
    case 'l':
        o->log_only = absolute(NULL, value);
        return -1;
    case 'p':
        o->private_key = value;
        return -1;
    case 'C':
        o->ca_cert = value;
        return -1;
    case OPT_BOOTSTRAP_CA_CERT:
        o->bootstrap_ca_cert = value;
        return -1;
    case OPT_PEER_CA_CERT:
        o->peer_ca_cert = value;
        return -1;
    case OPT_DETACH:
        o->daemon.detach = true;
        return -1;
    case OPT_DISABLE_SYSTEM_ROUTE:
        o->system_routes = false;
        return -1;
    case OPT_MONITOR:
        o->daemon.monitor = true;
        return -1;
    case OPT_NO_CHDIR:
        o->daemon.no_chdir = true;
        return -1;
    case OPT_MLOCKALL:
        o->daemon.mlockall = true;
        return -1;
    case OPT_OVERWRITE_PIDFILE:
        o->daemon.overwrite_pidfile = true;
        return -1;
    case OPT_USER:
        o->daemon.user = value;
        return -1;
    case OPT_PIDFILE:
        if (value)
            o->daemon.pidfile = absolute(directory, value);
        else if (directory)
            o->daemon.pidfile = format("%s/%s.pid", directory, o->program);
        return -1; /* without a database, run_dir has a pidfile anyway */
    case OPT_LOG_FILE:
        if (!value && !directory)
            return fault(o, ": give a file: --log-file=FILE", "--log-file");
        o->log_file =
            value ? absolute(directory ? o->log_dir : NULL, value) : format("%s/%s.log", o->log_dir, o->program);
        return -1;
    case OPT_UNIXCTL:
        o->unixctl = absolute(directory, value);
        return -1;
    case OPT_NO_SELF_CONFINEMENT:
        o->self_confinement = false;
        return -1;
    case OPT_SYSLOG_METHOD:
        return take_syslog_method(o, value);
    case OPT_SYSLOG_TARGET:
        return fault(o, ": --syslog-target is not available: let the syslog daemon forward", value);
    case OPT_IGNORED:
        return -1;
    case 'v':
        return take_level(o, value ? value : "any:any:dbg");
    case 'h':
        usage(o, stdout);
        return 0;
    case 'V':
        return take_version(o);
    default:
        usage(o, stderr);
        return o->source == OPTIONS_DATABASE ? 1 : 2;
    }
}

static void set_defaults(struct options *o, enum options_source source)
{
    *o = (struct options){
        .source = source,
        .program = source == OPTIONS_DATABASE ? "ovs-vswitchd" : "sluiced",
        .system_routes = true,
        .self_confinement = true,
        .run_dir = from_environment("OVS_RUNDIR", "/var/run/openvswitch"),
        .log_dir = from_environment("OVS_LOGDIR", "/var/log/openvswitch"),
        .sysconf_dir = from_environment("OVS_SYSCONFDIR", "/etc"),
    };
    o->daemon.program = o->program;
    o->db_dir = getenv("OVS_DBDIR");
    if (!o->db_dir || !*o->db_dir)
        o->db_dir = format("%s/openvswitch", o->sysconf_dir);
    if (source == OPTIONS_DATABASE)
        o->syslog = SYSLOG_SOCKET;
}

static int take_arguments(struct options *o, int argc, char **argv)
{
    if (o->source == OPTIONS_DATABASE) {
        if (optind + 1 < argc)
            return fault(o, ": at most one argument is a database", argv[optind + 1]);
        o->remote = optind < argc ? argv[optind] : format("unix:%s/db.sock", o->run_dir);
        return -1;
    }
    if (optind + 1 != argc) {
        usage(o, stderr);
        return 2;
    }
    o->config_path = argv[optind];
    if (o->daemon.detach && !o->daemon.no_chdir)
        o->config_path = absolute(NULL, o->config_path);
    /* Who runs in the background has nobody to read standard error. */
    if (o->daemon.detach && !o->log_only && !o->log_file && !o->syslog)
        o->syslog = SYSLOG_SOCKET;
    return -1;
}

int options_parse(enum options_source source, int argc, char **argv, struct options *o)
{
    const char *letters = source == OPTIONS_DATABASE ? "hVv::p:c:C:" : "hVv::cl:";
    const struct option *known = source == OPTIONS_DATABASE ? database_options : json_options;

    set_defaults(o, source);
    optind = 0; /* of GNU: start afresh */
    for (int option, status; (option = getopt_long(argc, argv, letters, known, NULL)) != -1;) {
        status = take_option(o, option, optarg);
        if (status >= 0)
            return status;
    }
    return take_arguments(o, argc, argv);
}

int options_open_log(const struct options *o, char *error, size_t error_size)
{
    const char *path = o->log_only ? o->log_only : o->log_file;
    int rc = log_open(o->log_only);

    if (!rc && o->log_file)
        rc = log_open_file(o->log_file);
    if (rc) {
        snprintf(error, error_size, "%s: cannot open the log: %s", path, strerror(-rc));
        return -1;
    }
    log_open_syslog(o->syslog, o->program);
    return 0;
}

void options_set_levels(const struct options *o)
{
    char error[256];

    /* What starts a daemon shows what is wrong; the rest is in the file. */
    if (o->daemon.detach && o->log_file)
        log_set_facility_level(-1, LOG_TO_CONSOLE, RTE_LOG_WARNING);
    for (size_t i = 0; i < o->n_levels; i++)
        if (vlog_set(o->levels[i], error, sizeof error))
            LOG_ERR(LOG_MAIN, "-v%s: %s", o->levels[i], error);
}

void options_control_path(const struct options *o, const char *run_dir, char *path, size_t size)
{
    if (o->unixctl)
        snprintf(path, size, "%s", o->unixctl);
    else if (o->source == OPTIONS_DATABASE)
        snprintf(path, size, "%s/%s.%ld.ctl", run_dir, o->program, (long)getpid());
    else
        snprintf(path, size, "%s/sluiced.ctl", run_dir);
}

void options_version(const struct options *o, char *text, size_t size)
{
    /* Tools take the last word of the line that says "Open vSwitch" for its version. */
    if (o->source == OPTIONS_DATABASE)
        snprintf(text, size, "ovs-vswitchd (Open vSwitch) %s\nSluice %s\n", OPTIONS_OVS_VERSION, SLUICE_VERSION);
    else
        snprintf(text, size, "sluiced (Sluice) %s\n", SLUICE_VERSION);
}
