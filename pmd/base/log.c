#include "pmd/base/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <rte_common.h>
#include <rte_spinlock.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "pmd/base/log_sink.h"

static const char *const component_names[LOG_N_COMPONENTS] = {
#define X(symbol, name) [symbol] = name,
    LOG_COMPONENTS(X)
#undef X
};

static const struct {
    const char *name;  /* as users write it */
    const char *label; /* as the log shows it */
    uint32_t level;    /* the most verbose rte_log level it stands for */
} levels[] = {
    {"off", "OFF", 0},
    {"emer", "EMER", RTE_LOG_CRIT},
    {"err", "ERR", RTE_LOG_ERR},
    {"warn", "WARN", RTE_LOG_WARNING},
    {"info", "INFO", RTE_LOG_INFO},
    {"dbg", "DBG", RTE_LOG_DEBUG},
};

static int component_types[LOG_N_COMPONENTS];
static pthread_once_t stream_once = PTHREAD_ONCE_INIT;
static uint32_t sequence;
static rte_spinlock_t limit_lock = RTE_SPINLOCK_INITIALIZER;

/* Before rte_eal_init(), so that "--log-level=sluice.port:debug" among its arguments works. */
RTE_INIT(log_register_types)
{
    char name[32];

    for (int i = 0; i < LOG_N_COMPONENTS; i++) {
        snprintf(name, sizeof name, "sluice.%s", component_names[i]);
        component_types[i] = rte_log_register_type_and_pick_level(name, RTE_LOG_INFO);
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

static void put_line(const char *module, uint32_t level, const char *text, size_t length)
{
    char line[LOG_LINE_MAX];
    struct timespec now;
    struct tm tm;
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(line, sizeof line, "%Y-%m-%dT%H:%M:%S", &tm);
    n += snprintf(line + n, sizeof line - n, ".%03ldZ|%05u|%s|%s|", now.tv_nsec / 1000000,
                  __atomic_add_fetch(&sequence, 1, __ATOMIC_RELAXED), module, levels[level_row(level)].label);
    /* One message is one line, whatever a peer managed to get into it. */
    for (size_t i = 0; i < length && n < sizeof line - 1; i++)
        line[n++] = iscntrl((unsigned char)text[i]) ? ' ' : text[i];
    line[n++] = '\n';
    log_sink_put(line, n);
}

/* Where lines are missing, once the log takes lines again. */
static void tell_lost(void)
{
    uint64_t lost = log_sink_take_lost();
    char text[128];
    int n;

    if (!lost)
        return;
    n = snprintf(text, sizeof text,
                 "%" PRIu64 " lines of the log were lost: its reader did not keep up, or refused them", lost);
    put_line("log", RTE_LOG_WARNING, text, n);
}

static void write_line(const char *module, uint32_t level, const char *text, size_t length)
{
    tell_lost();
    put_line(module, level, text, length);
}

void log_flush(void)
{
    log_sink_flush();
    tell_lost();
}

void log_finish(unsigned timeout_ms)
{
    log_flush();
    for (; timeout_ms && log_sink_flush(); timeout_ms--)
        usleep(1000);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* DPDK's own messages arrive here, usually a whole line each. It limits nothing, and a VM that talks nonsense on its
 * vhost-user socket causes warnings and errors by the thousand. */
static ssize_t dpdk_stream_write(void *cookie, const char *text, size_t size)
{
    static struct log_limit limit = LOG_LIMIT_INIT(200, 120);
    uint32_t level = rte_log_cur_msg_loglevel(), suppressed = 0;
    const char *end = text + size;
    char note[64];

    if (level <= RTE_LOG_WARNING && !log_limit_admit(&limit, now_ms(), &suppressed))
        return size;
    if (suppressed) {
        int n = snprintf(note, sizeof note, "%u warnings and errors of DPDK not shown", suppressed);
        write_line("dpdk", RTE_LOG_WARNING, note, n);
    }
    while (text < end) {
        const char *newline = memchr(text, '\n', end - text);
        const char *stop = newline ? newline : end;
        if (stop > text)
            write_line("dpdk", level, text, stop - text);
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
    write_line(component_names[component], level, text, n);
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

int log_set_level(const char *component, const char *level)
{
    bool all = !strcasecmp(component, "any"), found = false;
    uint32_t value = 0;
    unsigned row;

    for (row = 0; row < RTE_DIM(levels); row++)
        if (!strcasecmp(level, levels[row].name))
            break;
    if (row == RTE_DIM(levels))
        return -EINVAL;
    value = levels[row].level;
    for (int i = 0; i < LOG_N_COMPONENTS; i++) {
        if (!all && strcasecmp(component, component_names[i]))
            continue;
        rte_log_set_level(component_types[i], value);
        found = true;
    }
    return found ? 0 : -ENOENT;
}

void log_show_levels(void (*put)(void *arg, const char *component, const char *level), void *arg)
{
    for (int i = 0; i < LOG_N_COMPONENTS; i++)
        put(arg, component_names[i], levels[level_row(rte_log_get_level(component_types[i]))].name);
}

int log_open(const char *path)
{
    int fd;

    pthread_once(&stream_once, open_dpdk_stream);
    if (!path) {
        log_sink_set(STDERR_FILENO, false);
        return 0;
    }
    /* Not to wait for a reader of a FIFO; a file is not affected. */
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0640);
    if (fd < 0)
        return -errno;
    log_sink_set(fd, true);
    return 0;
}
