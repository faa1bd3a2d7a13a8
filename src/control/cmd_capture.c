/* capture/start, capture/show, capture/stop: the packets of a port, counted or in a file. Control thread. */
#define MEM_WHAT "captures"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/mem.h"
#include "src/app/captures.h"
#include "src/control/commands.h"
#include "src/match/field.h"

#define SNAPLEN_DEFAULT 262144 /* more than a packet can have: all of it */

static struct bridge_port *find_port(struct sluice *sw, const char *name)
{
    struct bridge_port *bp;
    struct bridge *br;

    TAILQ_FOREACH (br, &sw->bridges, node) {
        bp = bridge_port_by_name(br, name);
        if (bp)
            return bp;
    }
    return NULL;
}

/* "key=N" with 1 <= N <= most. False: it is another word, or the number is wrong, which `reply` says then. */
static bool take_number(const char *word, const char *key, uint64_t most, uint64_t *number, struct control_reply *reply)
{
    size_t len = strlen(key);
    char *end;

    if (strncmp(word, key, len) || word[len] != '=')
        return false;
    *number = strtoull(word + len + 1, &end, 10);
    if (word[len + 1] < '0' || word[len + 1] > '9' || *end || *number < 1 || *number > most)
        control_fail(reply, "%s: %s takes a number from 1 to %" PRIu64, word, key, most);
    return true;
}

/* Whether a filter asks for nothing but what is in the packet itself. */
static bool only_packet_bits(const struct match *match)
{
    struct flow rest = match->mask;

    memset(&rest.pkt, 0, FLOW_KEY_PACKET_LINES * FLOW_KEY_LINE);
    const struct flow_key *pkt = &match->mask.pkt;
    static const struct flow none;
    return !memcmp(&rest, &none, sizeof rest) && !pkt->in_port && !pkt->recirc_id && !pkt->ct_state && !pkt->ct_zone &&
           !pkt->ct_mark && !pkt->pkt_mark && !pkt->dp_hash;
}

static bool take_filter(const char *text, struct capture_request *request, struct control_reply *reply)
{
    struct match match;
    char *error = match_parse(text, &match, NULL, NULL);

    if (error) {
        control_fail(reply, "%s", error);
        free(error);
        return false;
    }
    if (!only_packet_bits(&match)) {
        control_fail(reply, "%s: a filter can only ask for what is in the packet: no port, register, mark or tunnel",
                     text);
        return false;
    }
    request->value = match.value.pkt;
    request->mask = match.mask.pkt;
    request->filter = text;
    return true;
}

/* One word behind the port. */
static void take_word(const char *word, struct capture_request *request, struct control_reply *reply)
{
    uint64_t number;

    if (!strcmp(word, "in") || !strcmp(word, "out")) {
        request->ways[CAPTURE_IN] = *word == 'i';
        request->ways[CAPTURE_OUT] = *word == 'o';
    } else if (!strncmp(word, "write=", 6)) {
        request->file = word + 6;
        if (word[6] != '/')
            control_fail(reply, "%s: give the file's absolute path", word);
    } else if (take_number(word, "snaplen", SNAPLEN_DEFAULT, &number, reply)) {
        request->snaplen = (uint32_t)RTE_MIN(number, (uint64_t)CAPTURE_SNAPLEN_MAX);
    } else if (take_number(word, "count", UINT32_MAX, &number, reply)) {
        request->most = number;
    } else {
        take_filter(word, request, reply);
    }
}

static void cmd_start(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct capture_request *request = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof *request, 64));
    struct bridge_port *bp = find_port(sw, argv[1]);
    char error[512];

    if (!request)
        out_of_memory(MEM_WHAT, sizeof *request);
    memset(request, 0, sizeof *request);
    request->ways[CAPTURE_IN] = request->ways[CAPTURE_OUT] = true;
    request->snaplen = CAPTURE_SNAPLEN_MAX;
    request->filter = "";
    for (int i = 2; i < argc && !reply->failed; i++)
        take_word(argv[i], request, reply);
    if (!reply->failed && request->most && !request->file)
        control_fail(reply, "count limits the packets of a file: say write=FILE as well");
    if (!reply->failed && (!bp || !bp->port))
        control_fail(reply, bp ? "%s: the port has no device" : "%s: no such port", argv[1]);
    if (!reply->failed) {
        unsigned id = captures_start(sw->captures, bp, request, error, sizeof error);
        if (!id)
            control_fail(reply, "%s", error);
        else
            control_printf(reply, "capture %u\n", id);
        reply->json = id ? json_pack("{s:i}", "id", (int)id) : NULL;
    }
    free(request);
}

static const char *ways_text(const bool *ways)
{
    return ways[CAPTURE_IN] && ways[CAPTURE_OUT] ? "in and out" : ways[CAPTURE_IN] ? "in" : "out";
}

static void show(const struct capture_info *info, struct control_reply *reply)
{
    const struct capture_counts *c = &info->counts;

    control_printf(reply, "%u: %s %s, %s, %s: %s\n", info->id, info->bridge, info->port, ways_text(info->ways),
                   *info->filter ? info->filter : "every packet", info->state);
    control_printf(reply, "  in packets %" PRIu64 " bytes %" PRIu64 ", out packets %" PRIu64 " bytes %" PRIu64 "\n",
                   c->ways[CAPTURE_IN].packets, c->ways[CAPTURE_IN].bytes, c->ways[CAPTURE_OUT].packets,
                   c->ways[CAPTURE_OUT].bytes);
    if (*info->file)
        control_printf(reply, "  %s: packets %" PRIu64 " lost %" PRIu64 "\n", info->file, info->written, c->lost);
    if (!reply->json)
        reply->json = json_array();
    json_array_append_new(
        reply->json,
        json_pack("{s:i,s:s,s:s,s:s,s:s,s:s,s:b,s:{s:I,s:I},s:{s:I,s:I},s:I,s:I}", "id", (int)info->id, "bridge",
                  info->bridge, "port", info->port, "filter", info->filter, "file", info->file, "state", info->state,
                  "ended", (int)info->ended, "in", "packets", (json_int_t)c->ways[CAPTURE_IN].packets, "bytes",
                  (json_int_t)c->ways[CAPTURE_IN].bytes, "out", "packets", (json_int_t)c->ways[CAPTURE_OUT].packets,
                  "bytes", (json_int_t)c->ways[CAPTURE_OUT].bytes, "written", (json_int_t)info->written, "lost",
                  (json_int_t)c->lost));
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct capture_info info;

    reply->json = json_array();
    for (unsigned id = 0; captures_next(sw->captures, id, &info); id = info.id)
        show(&info, reply);
}

/* --- stop: the answer comes when the file is whole ----------------------- */

struct stopping {
    struct captures *captures;
    unsigned id;
};

static bool wait_for_end(void *arg, struct control_reply *reply)
{
    struct stopping *stopping = arg;
    struct capture_info info;

    if (!captures_find(stopping->captures, stopping->id, &info))
        return false;
    if (!info.ended)
        return true;
    if (reply->as_json)
        control_element(reply, json_pack("{s:i,s:s,s:I,s:I}", "id", (int)info.id, "state", info.state, "written",
                                         (json_int_t)info.written, "lost", (json_int_t)info.counts.lost));
    else
        show(&info, reply);
    captures_forget(stopping->captures, stopping->id);
    return false;
}

static void cmd_stop(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    char *end;
    unsigned long id = strtoul(argv[1], &end, 10);

    if (*end || end == argv[1] || id > UINT32_MAX || !captures_stop(sw->captures, (unsigned)id)) {
        control_fail(reply, "%s: no such capture: capture/show lists them", argv[1]);
        return;
    }
    struct stopping *stopping = mem_calloc(1, sizeof *stopping);
    *stopping = (struct stopping){sw->captures, (unsigned)id};
    reply->stream = (struct control_stream){wait_for_end, free, stopping};
}

void commands_register_capture(struct control *control, struct sluice *sw)
{
    control_register(control, "capture/start", "port [in|out] [filter] [write=file] [snaplen=bytes] [count=packets]", 1,
                     6, cmd_start, sw);
    control_register(control, "capture/show", "", 0, 0, cmd_show, sw);
    control_register(control, "capture/stop", "id", 1, 1, cmd_stop, sw);
}
