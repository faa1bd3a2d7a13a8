#include "pmd/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_spinlock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static const char *const component_names[LOG_N_COMPONENTS] = {
#define X(symbol, name) [symbol] = name,
    LOG_COMPONENTS(X)
#undef X
};

static const struct {
    const char *name;  /* as users write it */
    const char *label; /* as the log shows it */
    uint32_t level;    /* the most verbose rte_log level it stands for */
    int severity;      /* of syslog (RFC 3164, 4.1.1) */
} levels[] = {
    {"off", "OFF", 0, 1},
    {"emer", "EMER", RTE_LOG_CRIT, 1},
    {"err", "ERR", RTE_LOG_ERR, 3},
    {"warn", "WARN", RTE_LOG_WARNING, 4},
    {"info", "INFO", RTE_LOG_INFO, 6},
    {"dbg", "DBG", RTE_LOG_DEBUG, 7},
};

static const char *const facility_names[LOG_N_FACILITIES] = {
    [LOG_TO_CONSOLE] = "console",
    [LOG_TO_SYSLOG] = "syslog",
    [LOG_TO_FILE] = "file",
};

#define SYSLOG_DAEMON (3 << 3) /* "system daemons" (RFC 3164, 4.1.1) */

/* What each facility takes of a component. rte_log's level of the component is the most verbose of them. */
static uint32_t facility_levels[LOG_N_COMPONENTS][LOG_N_FACILITIES];
static uint32_t type_levels[LOG_N_COMPONENTS]; /* as rte_log was told last */
static char *file_path, *syslog_path, *program;
static int component_types[LOG_N_COMPONENTS];
static pthread_once_t stream_once = PTHREAD_ONCE_INIT;
static uint32_t sequence;
static rte_spinlock_t limit_lock = RTE_SPINLOCK_INITIALIZER;

static void tell_rte_log(int component)
{
    uint32_t most = 0;

    for (int f = 0; f < LOG_N_FACILITIES; f++)
        most = RTE_MAX(most, facility_levels[component][f]);
    type_levels[component] = most;
    rte_log_set_level(component_types[component], most);
}

/* EAL's "--log-level=sluice.port:debug" is a level for all facilities. */
static void adopt_rte_log(int component)
{
    uint32_t level = rte_log_get_level(component_types[component]);

    if (level == type_levels[component])
        return;
    type_levels[component] = level;
    for (int f = 0; f < LOG_N_FACILITIES; f++)
        facility_levels[component][f] = level;
}

/* Before rte_eal_init(), so that "--log-level=sluice.port:debug" among its arguments works. */
RTE_INIT(log_register_types)
{
    char name[32];

    for (int i = 0; i < LOG_N_COMPONENTS; i++) {
        snprintf(name, sizeof name, "sluice.%s", component_names[i]);
        component_types[i] = rte_log_register_type_and_pick_level(name, RTE_LOG_INFO);
        adopt_rte_log(i);
    }
}

/* The row of `levels` that covers an rte_log level. */
static unsigned level_row(uint32_t level)
{
    for (unsigned i = 0; i < RTE_DIM(levels); i++)
        if (level <= levels[i].level)
            return i;
    return RTE_DIM(levels) - 1;
}

/* `text` behind the `n` bytes of `line`, with all that could end it made spaces: one message is one line, whatever a
 * peer managed to get into it. Returns the length. */
static size_t append_text(char line[LOG_LINE_MAX], size_t n, const char *text, size_t length)
{
    for (size_t i = 0; i < length && n < LOG_LINE_MAX - 1; i++)
        line[n++] = iscntrl((unsigned char)text[i]) ? ' ' : text[i];
    return n;
}

/* As the C library's syslog() writes it, whose socket would wait for a daemon that does not read. */
static void put_syslog(const struct timespec *now, uint32_t number, enum log_component component, unsigned row,
                       const char *text, size_t length)
{
    char line[LOG_LINE_MAX], when[32];
    struct tm tm;
    size_t n;

    localtime_r(&now->tv_sec, &tm);
    strftime(when, sizeof when, "%h %e %T", &tm);
    n = snprintf(line, sizeof line, "<%d>%s %s: ovs|%05u|%s|%s|", SYSLOG_DAEMON | levels[row].severity, when, program,
                 number, component_names[component], levels[row].label);
    log_sink_put(LOG_TO_SYSLOG, line, append_text(line, RTE_MIN(n, sizeof line - 1), text, length));
}

static void put_line(enum log_component component, uint32_t level, unsigned facilities, const char *text, size_t length)
{
    unsigned row = level_row(level);
    char line[LOG_LINE_MAX];
    struct timespec now;
    struct tm tm;
    size_t n;
    uint32_t number = __atomic_add_fetch(&sequence, 1, __ATOMIC_RELAXED);

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += snprintf(line + n, sizeof line - n, ".%03ldZ|%05u|%s|%s|", now.tv_nsec / 1000000, number,
                  component_names[component], levels[row].label);
    n = append_text(line, n, text, length);
    line[n++] = '\n';
    if (facilities & 1u << LOG_TO_CONSOLE)
        log_sink_put(LOG_TO_CONSOLE, line, n);
    if (facilities & 1u << LOG_TO_FILE)
        log_sink_put(LOG_TO_FILE, line, n);
    if (facilities & 1u << LOG_TO_SYSLOG)
        put_syslog(&now, number, component, row, text, length);
}

/* Where lines are missing, once the facility takes lines again. */
static void tell_lost(enum log_facility facility)
{
    uint64_t lost = log_sink_take_lost(facility);
    char text[128];
    int n;

    if (!lost || !log_sink_is_open(facility))
        return;
    n = snprintf(text, sizeof text,
                 "%" PRIu64 " lines of the log were lost: its reader did not keep up, or refused them", lost);
    put_line(LOG_SELF, RTE_LOG_WARNING, 1u << facility, text, n);
}

static void write_line(enum log_component component, uint32_t level, const char *text, size_t length)
{
    /* What DPDK's own levels let through, debugging too, was asked for by them. */
    uint32_t asked = component == LOG_DPDK ? RTE_MIN(level, RTE_LOG_INFO) : level;
    unsigned facilities = 0;

    adopt_rte_log(component);
    for (int f = 0; f < LOG_N_FACILITIES; f++)
        if (asked <= facility_levels[component][f] && log_sink_is_open(f)) {
            tell_lost(f);
            facilities |= 1u << f;
        }
    if (facilities)
        put_line(component, level, facilities, text, length);
}

static uint32_t flush_all(void)
{
    uint32_t waiting = 0;

    for (int f = 0; f < LOG_N_FACILITIES; f++) {
        waiting += log_sink_flush(f);
        tell_lost(f);
    }
    return waiting;
}

static void connect_syslog(void);

void log_flush(void)
{
    if (syslog_path && (!log_sink_is_open(LOG_TO_SYSLOG) || log_sink_fails(LOG_TO_SYSLOG)))
        connect_syslog();
    flush_all();
}

void log_finish(unsigned timeout_ms)
{
    for (; flush_all() && timeout_ms; timeout_ms--)
        usleep(1000);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* What DPDK warns of and is no fault: it looks at hugepages of every size that the processor has, and needs those of
 * one. Whether there are enough is found out and said before it starts. Whoever watches the log takes a warning for a
 * fault. */
static const struct {
    const char *begin, *then;
} harmless[] = {
    {"EAL: No free ", " kB hugepages reported on node "},
    {"EAL: No available ", " kB hugepages reported"},
};

static uint32_t level_of_dpdk(const char *text, size_t size)
{
    uint32_t level = rte_log_cur_msg_loglevel();

    for (size_t i = 0; level == RTE_LOG_WARNING && i < RTE_DIM(harmless); i++) {
        size_t begins = strlen(harmless[i].begin);

        if (size > begins && !memcmp(text, harmless[i].begin, begins) &&
            memmem(text, size, harmless[i].then, strlen(harmless[i].then)))
            level = RTE_LOG_INFO;
    }
    return level;
}

/* DPDK's own messages arrive here, usually a whole line each. It limits nothing, and a VM that talks nonsense on its
 * vhost-user socket causes warnings and errors by the thousand. */
static ssize_t dpdk_stream_write(void *cookie, const char *text, size_t size)
{
    static struct log_limit limit = LOG_LIMIT_INIT(200, 120);
    uint32_t level = level_of_dpdk(text, size), suppressed = 0;
    const char *end = text + size;
    char note[64];

    if (level <= RTE_LOG_WARNING && !log_limit_admit(&limit, now_ms(), &suppressed))
        return size;
    if (suppressed) {
        int n = snprintf(note, sizeof note, "%u warnings and errors of DPDK not shown", suppressed);
        write_line(LOG_DPDK, RTE_LOG_WARNING, note, n);
    }
    while (text < end) {
        const char *newline = memchr(text, '\n', end - text);
        const char *stop = newline ? newline : end;
        if (stop > text)
            write_line(LOG_DPDK, level, text, stop - text);
        text = stop + 1;
    }
    return size;
}

static void open_dpdk_stream(void)
{
    FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = dpdk_stream_write});

    if (!stream)
        return;
    setvbuf(stream, NULL, _IOLBF, LOG_LINE_MAX);
    rte_openlog_stream(stream);
}

static void write_message(enum log_component component, uint32_t level, uint32_t suppressed, const char *format,
                          va_list args)
{
    char text[LOG_LINE_MAX];
    int n;

    n = vsnprintf(text, sizeof text, format, args);
    n = RTE_MIN(n, (int)sizeof text - 1);
    if (n < 0)
        return;
    if (suppressed) {
        n += snprintf(text + n, sizeof text - n, " (%u more like this not shown)", suppressed);
        n = RTE_MIN(n, (int)sizeof text - 1);
    }
    while (n > 0 && text[n - 1] == '\n')
        n--;
    write_line(component, level, text, n);
}

void log_write(enum log_component component, uint32_t level, const char *format, ...)
{
    va_list args;

    if (!rte_log_can_log(component_types[component], level))
        return;
    va_start(args, format);
    write_message(component, level, 0, format, args);
    va_end(args);
}

bool log_limit_admit(struct log_limit *limit, uint64_t now_ms, uint32_t *suppressed)
{
    bool admitted;

    rte_spinlock_lock(&limit_lock);
    if (limit->tokens < limit->burst && now_ms > limit->refilled_ms && limit->per_minute) {
        uint64_t due = (now_ms - limit->refilled_ms) * limit->per_minute / 60000;
        if (due >= limit->burst - limit->tokens) {
            limit->tokens = limit->burst;
        } else {
            limit->tokens += due;
            /* Rounded up: never more than per_minute in the long run. */
            limit->refilled_ms += (due * 60000 + limit->per_minute - 1) / limit->per_minute;
        }
    }
    if (limit->tokens == limit->burst)
        limit->refilled_ms = now_ms;
    admitted = limit->tokens > 0;
    *suppressed = 0;
    if (admitted) {
        limit->tokens--;
        *suppressed = limit->suppressed;
        limit->suppressed = 0;
    } else {
        limit->suppressed++;
    }
    rte_spinlock_unlock(&limit_lock);
    return admitted;
}

void log_write_limited(enum log_component component, uint32_t level, struct log_limit *limit, const char *format, ...)
{
    uint32_t suppressed;
    va_list args;

    if (!rte_log_can_log(component_types[component], level))
        return;
    if (!log_limit_admit(limit, now_ms(), &suppressed))
        return;
    va_start(args, format);
    write_message(component, level, suppressed, format, args);
    va_end(args);
}

bool log_find_level(const char *name, uint32_t *level)
{
    for (unsigned row = 0; row < RTE_DIM(levels); row++)
        if (!strcasecmp(name, levels[row].name)) {
            *level = levels[row].level;
            return true;
        }
    return false;
}

int log_find_component(const char *name)
{
    for (int i = 0; i < LOG_N_COMPONENTS; i++)
        if (!strcasecmp(name, component_names[i]))
            return i;
    return -1;
}

int log_find_facility(const char *name)
{
    for (int f = 0; f < LOG_N_FACILITIES; f++)
        if (!strcasecmp(name, facility_names[f]))
            return f;
    return -1;
}

const char *log_component_name(enum log_component component)
{
    return component_names[component];
}

const char *log_level_name(enum log_component component, enum log_facility facility)
{
    adopt_rte_log(component);
    return levels[level_row(facility_levels[component][facility])].label;
}

void log_set_facility_level(int component, int facility, uint32_t level)
{
    for (int i = 0; i < LOG_N_COMPONENTS; i++) {
        if (component >= 0 && i != component)
            continue;
        adopt_rte_log(i);
        for (int f = 0; f < LOG_N_FACILITIES; f++)
            if (facility < 0 || f == facility)
                facility_levels[i][f] = level;
        tell_rte_log(i);
    }
}

int log_set_level(const char *component, const char *level)
{
    int number = strcasecmp(component, "any") ? log_find_component(component) : -1;
    uint32_t value;

    if (!log_find_level(level, &value))
        return -EINVAL;
    if (number < 0 && strcasecmp(component, "any"))
        return -ENOENT;
    log_set_facility_level(number, -1, value);
    return 0;
}

/* --- where to ------------------------------------------------------------ */

/* A copy of `value`; without memory for one, NULL. */
static void remember(char **slot, const char *value)
{
    char *copy = value ? strdup(value) : NULL;

    free(*slot);
    *slot = copy;
}

/* A descriptor, or negative errno. */
static int open_path(const char *path)
{
    /* Not to wait for a reader of a FIFO; a file is not affected. */
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);

    return fd < 0 ? -errno : fd;
}

int log_open_file(const char *path)
{
    int fd = -1;

    pthread_once(&stream_once, open_dpdk_stream);
    if (path && (fd = open_path(path)) < 0)
        return fd;
    remember(&file_path, path);
    log_sink_set(LOG_TO_FILE, fd, true);
    return 0;
}

int log_open(const char *path)
{
    int rc = log_open_file(path);

    if (rc)
        return rc;
    log_sink_set(LOG_TO_CONSOLE, path ? -1 : STDERR_FILENO, false);
    return 0;
}

int log_reopen(void)
{
    int fd = file_path ? open_path(file_path) : -ENOENT;

    if (fd < 0)
        return fd;
    log_sink_set(LOG_TO_FILE, fd, true);
    return 0;
}

void log_close_console(void)
{
    log_sink_set(LOG_TO_CONSOLE, -1, false);
}

static void connect_syslog(void)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return;
    snprintf(to.sun_path, sizeof to.sun_path, "%s", syslog_path);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to))
        close(fd);
    else
        log_sink_set(LOG_TO_SYSLOG, fd, true);
}

void log_open_syslog(const char *path, const char *name)
{
    remember(&syslog_path, path);
    remember(&program, name);
    if (syslog_path && program)
        connect_syslog();
}
