/* Commands about the daemon itself: exit, reload, and the levels of its log; and command_bridge(), by which all
 * commands find the bridge that they name. Control thread. */
#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <string.h>

#include "pmd/base/log.h"
#include "src/app/options.h"
#include "src/app/vlog.h"
#include "src/control/commands.h"

static void cmd_exit(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;

    if (argc > 1 && strcmp(argv[1], "--cleanup"))
        return control_fail(reply, "%s: the only word \"exit\" takes is --cleanup", argv[1]);
    sw->cleanup = argc > 1;
    loop_stop(sw->loop);
}

static void cmd_version(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    char text[256];

    options_version(sw->options, text, sizeof text);
    control_printf(reply, "%s", text);
    reply->json = json_pack("{s:s}", "version", SLUICE_VERSION);
}

static void reload_done(void *arg, bool failed, struct evbuffer *lines, json_t *objects)
{
    control_answer(arg, failed, lines, json_pack("{s:b,s:o}", "failed", (int)failed, "objects", objects));
    evbuffer_free(lines);
}

static void cmd_reload(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct control_deferred *deferred = control_defer(reply);
    struct evbuffer *report = evbuffer_new();

    if (switch_reload(arg, report, reload_done, deferred))
        control_answer(deferred, true, report, NULL);
    evbuffer_free(report);
}

/* The columns of OVS's vlog/list. */
static void cmd_vlog_list(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    reply->json = json_object();
    control_printf(reply, "                 console    syslog    file\n"
                          "                 -------    ------    ------\n");
    for (int i = 0; i < LOG_N_COMPONENTS; i++) {
        const char *name = log_component_name(i), *console = log_level_name(i, LOG_TO_CONSOLE),
                   *syslog = log_level_name(i, LOG_TO_SYSLOG), *file = log_level_name(i, LOG_TO_FILE);

        control_printf(reply, "%-16s  %4s       %4s       %4s\n", name, console, syslog, file);
        json_object_set_new(reply->json, name,
                            json_pack("{s:s,s:s,s:s}", "console", console, "syslog", syslog, "file", file));
    }
}

static void cmd_vlog_set(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    char error[256];

    for (int i = 1; i < argc; i++)
        if (vlog_set(argv[i], error, sizeof error)) {
            control_fail(reply, "%s", error);
            return;
        }
}

static void cmd_vlog_reopen(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    int rc = log_reopen();

    if (rc == -ENOENT)
        control_fail(reply, "Logging to file not configured");
    else if (rc)
        control_fail(reply, "%s", strerror(-rc));
}

static void cmd_log(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct log_sink_stats s;

    log_sink_get_stats(&s);
    control_printf(reply,
                   "%-10s %12" PRIu64 "  lines written\n%-10s %12" PRIu64
                   "  lines lost: the reader did not keep up, or refused them\n%-10s %12" PRIu32
                   "  bytes that wait for the reader\n",
                   "lines", s.lines, "lost", s.lost, "waiting", s.waiting);
    reply->json = json_pack("{s:I,s:I,s:I}", "lines", (json_int_t)s.lines, "lost", (json_int_t)s.lost, "waiting",
                            (json_int_t)s.waiting);
}

struct bridge *command_bridge(struct sluice *sw, int argc, const char *const *argv, int i, struct control_reply *reply)
{
    if (i < argc) {
        struct bridge *br = switch_bridge(sw, argv[i]);
        if (!br)
            control_fail(reply, "%s: no such bridge", argv[i]);
        return br;
    }
    struct bridge *first = TAILQ_FIRST(&sw->bridges);
    if (first && !TAILQ_NEXT(first, node))
        return first;
    control_fail(reply, "name a bridge: there is %s", first ? "more than one" : "none");
    return NULL;
}

void commands_register_daemon(struct control *control, struct sluice *sw)
{
    control_register(control, "exit", "[--cleanup]", 0, 1, cmd_exit, sw);
    control_register(control, "version", "", 0, 0, cmd_version, sw);
    control_register(control, "reload", "", 0, 0, cmd_reload, sw);
    control_register(control, "log", "", 0, 0, cmd_log, sw);
    control_register(control, "vlog/list", "", 0, 0, cmd_vlog_list, sw);
    control_register(control, "vlog/reopen", "", 0, 0, cmd_vlog_reopen, sw);
    control_register(control, "vlog/set", "{spec | PATTERN:destination:pattern}", 1, 16, cmd_vlog_set, sw);
}
