/* bfd/: sessions of BFD, with Open vSwitch's names and text. Control thread. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "pmd/base/clock.h"
#include "src/agents/bfd_agent.h"
#include "src/app/status.h"
#include "src/control/commands.h"

static void format_flags(uint8_t flags, char *text, size_t size)
{
    static const struct {
        uint8_t flag;
        const char *name;
    } names[] = {
        {BFD_FLAG_MULTIPOINT, "multipoint"}, {BFD_FLAG_DEMAND, "demand"}, {BFD_FLAG_AUTHENTICATION, "auth"},
        {BFD_FLAG_INDEPENDENT, "ctl"},       {BFD_FLAG_FINAL, "final"},   {BFD_FLAG_POLL, "poll"},
    };
    size_t used = 0;

    for (size_t i = 0; i < RTE_DIM(names); i++)
        if (flags & names[i].flag)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? " " : "", names[i].name);
    if (used == 0)
        snprintf(text, size, "none");
}

static int64_t ms(uint64_t us)
{
    return (int64_t)(us / 1000);
}

/* From now on, in milliseconds. */
static int64_t ms_until(uint64_t at_us, uint64_t now_us)
{
    return ((int64_t)at_us - (int64_t)now_us) / 1000;
}

static void put_text(struct control_reply *reply, const struct bfd_status *st)
{
    char flags[64], remote_flags[64];
    uint64_t now_us = clock_now_us();

    format_flags(st->flags, flags, sizeof flags);
    format_flags(st->remote_flags, remote_flags, sizeof remote_flags);
    control_printf(reply,
                   "  Forwarding: %s\n"
                   "  Detect Multiplier: %u\n"
                   "  Concatenated Path Down: %s\n"
                   "  TX Interval: Approx %" PRId64 "ms\n"
                   "  RX Interval: Approx %" PRId64 "ms\n"
                   "  Detect Time: now %+" PRId64 "ms\n"
                   "  Next TX Time: now %+" PRId64 "ms\n"
                   "  Last TX Time: now %+" PRId64 "ms\n"
                   "\n",
                   st->forwarding ? "true" : "false", st->mult, st->cpath_down ? "true" : "false",
                   ms(st->tx_interval_us), ms(st->rx_interval_us), ms_until(st->detect_us, now_us),
                   ms_until(st->next_tx_us, now_us), ms_until(st->last_tx_us, now_us));
    control_printf(reply,
                   "  Local Flags: %s\n"
                   "  Local Session State: %s\n"
                   "  Local Diagnostic: %s\n"
                   "  Local Discriminator: 0x%" PRIx32 "\n"
                   "  Local Minimum TX Interval: %" PRId64 "ms\n"
                   "  Local Minimum RX Interval: %" PRId64 "ms\n"
                   "\n",
                   flags, bfd_state_name(st->state), bfd_diag_text(st->diag), st->discriminator, ms(st->min_tx_us),
                   ms(st->min_rx_us));
    control_printf(reply,
                   "  Remote Flags: %s\n"
                   "  Remote Session State: %s\n"
                   "  Remote Diagnostic: %s\n"
                   "  Remote Discriminator: 0x%" PRIx32 "\n"
                   "  Remote Minimum TX Interval: %" PRId64 "ms\n"
                   "  Remote Minimum RX Interval: %" PRId64 "ms\n"
                   "  Remote Detect Multiplier: %u\n",
                   remote_flags, bfd_state_name(st->remote_state), bfd_diag_text(st->remote_diag),
                   st->remote_discriminator, ms(st->remote_min_tx_us), ms(st->remote_min_rx_us), st->remote_mult);
}

static void put_pair(void *arg, const char *key, const char *value)
{
    json_object_set_new(arg, key, json_string(value));
}

static json_t *faults_json(const struct bfd_status *st)
{
    json_t *object = json_object();

    for (enum bfd_fault fault = BFD_OK + 1; fault < BFD_N_FAULTS; fault++)
        if (st->faults[fault])
            json_object_set_new(object, bfd_fault_name(fault), json_integer((json_int_t)st->faults[fault]));
    return object;
}

json_t *command_bfd_json(const struct bfd_status *st)
{
    json_t *object =
        json_pack("{s:b,s:I,s:I,s:I,s:I,s:i,s:i,s:I,s:I,s:o}", "cpath_down", (int)st->cpath_down, "tx_interval_us",
                  (json_int_t)st->tx_interval_us, "rx_interval_us", (json_int_t)st->rx_interval_us, "discriminator",
                  (json_int_t)st->discriminator, "remote_discriminator", (json_int_t)st->remote_discriminator, "mult",
                  (int)st->mult, "remote_mult", (int)st->remote_mult, "tx_packets", (json_int_t)st->tx_packets,
                  "rx_packets", (json_int_t)st->rx_packets, "discarded", faults_json(st));

    status_bfd_pairs(st, put_pair, object);
    json_object_set_new(object, "forwarding", json_boolean(st->forwarding));
    json_object_set_new(object, "flap_count", json_integer((json_int_t)st->flap_count));
    return object;
}

struct show {
    struct control_reply *reply;
    const char *only; /* NULL: all */
    bool found;
};

static void show(void *arg, const struct bridge_port *bp, const struct bfd_status *status)
{
    struct show *show = arg;
    json_t *object;

    if (show->only && strcmp(show->only, bp->name) != 0)
        return;
    show->found = true;
    if (!show->only)
        control_printf(show->reply, "---- %s ----\n", bp->name);
    put_text(show->reply, status);
    object = command_bfd_json(status);
    json_object_set_new(object, "bridge", json_string(bp->bridge->name));
    json_object_set_new(object, "port", json_string(bp->name));
    json_array_append_new(show->reply->json, object);
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    struct show to = {.reply = reply, .only = argc > 1 ? argv[1] : NULL};

    reply->json = json_array();
    bfd_agent_for_each(sw->bfd, show, &to);
    if (to.only && !to.found)
        control_fail(reply, "no such bfd object");
}

static void cmd_set_forwarding(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    const char *word = argv[argc - 1], *port = argc > 2 ? argv[1] : NULL;
    int value = !strcasecmp(word, "true") ? 1 : !strcasecmp(word, "false") ? 0 : -1;

    if (value < 0 && strcasecmp(word, "normal") != 0)
        control_fail(reply, "%s: has to be normal, false or true", word);
    else if (bfd_agent_override(sw->bfd, port, value) == 0 && port)
        control_fail(reply, "no such BFD object");
    else
        control_printf(reply, "OK\n");
}

void commands_register_bfd(struct control *control, struct sluice *sw)
{
    control_register(control, "bfd/set-forwarding", "[interface] normal|false|true", 1, 2, cmd_set_forwarding, sw);
    control_register(control, "bfd/show", "[interface]", 0, 1, cmd_show, sw);
}
