/* The OpenFlow decoder on any bytes, and what it decodes written back: the second writing must equal the first. The
 * length in the header is made to fit. An input whose first byte is 0xff is text instead: a match and actions, divided
 * by a newline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/openflow/codec/continuation.h"
#include "src/openflow/codec/msg.h"
#include "src/openflow/codec/msg_monitor.h"
#include "src/match/field.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/flow_text.h"
#include "tests/lib/of_replies.h"

static void check_framing(const struct of_buf *buf)
{
    for (size_t at = 0; at < buf->len;) {
        struct of_header header;

        CHECK(buf->len - at >= OF_HEADER_LEN);
        CHECK(of_header_parse(buf->data + at, &header) == 0);
        CHECK(header.length <= buf->len - at);
        at += header.length;
    }
}

/* --- replies ------------------------------------------------------------- */

static int copy_entry(uint8_t version, struct of_multipart_reply *reply, struct of_multipart *mp, struct of_buf *out)
{
    static struct act_buffer acts;
    struct match match;
    struct of_flow_stats flow;
    struct of_aggregate aggregate;
    struct of_table_stats table;
    struct of_table_config config;
    struct of_controller_status controller;
    struct of_port_stats stats;
    struct of_port port;
    int rc;

    switch (reply->type) {
    case OF_MP_FLOW:
    case OF_MP_FLOW_STATS:
        rc = of_multipart_next_flow(version, reply, &flow, &match, &acts);
        if (rc == 1)
            of_multipart_add_flow(mp, out, &flow);
        return rc;
    case OF_MP_AGGREGATE:
        rc = of_multipart_next_aggregate(version, reply, &aggregate);
        if (rc == 1)
            of_multipart_add_aggregate(mp, out, &aggregate);
        return rc;
    case OF_MP_TABLE:
    case OF_MP_TABLE_FEATURES:
        rc = of_multipart_next_table(version, reply, &table);
        if (rc == 1)
            of_multipart_add_table(mp, out, &table);
        return rc;
    case OF_MP_TABLE_DESC:
        rc = of_multipart_next_table_desc(reply, &config);
        if (rc == 1)
            of_multipart_add_table_desc(mp, out, &config);
        return rc;
    case OF_MP_CONTROLLER_STATUS:
        rc = of_multipart_next_controller(reply, &controller);
        if (rc == 1)
            of_multipart_add_controller(mp, out, &controller);
        return rc;
    case OF_MP_PORT:
        rc = of_multipart_next_port(version, reply, &stats);
        if (rc == 1)
            of_multipart_add_port(mp, out, &stats);
        return rc;
    case OF_MP_PORT_DESC:
        rc = of_multipart_next_port_desc(version, reply, &port);
        if (rc == 1)
            of_multipart_add_port_desc(mp, out, &port);
        return rc;
    default:
        return 0;
    }
}

static void copy_monitor_requests(const struct of_msg *msg)
{
    struct of_bytes body = msg->request.body;
    struct of_monitor_request request;
    struct of_buf out = {NULL, 0, 0};

    while (of_monitor_request_next(msg->version, &body, &request) == 1)
        of_monitor_request_encode(&out, msg->version, &request);
    of_buf_free(&out);
}

static void copy_reply(const struct of_msg *msg)
{
    struct of_multipart_reply reply = msg->reply;
    struct of_multipart mp;
    struct of_buf out = {NULL, 0, 0};

    of_multipart_begin(&mp, msg->version, msg->xid, reply.type, reply.nx);
    while (copy_entry(msg->version, &reply, &mp, &out) == 1)
        ;
    of_multipart_end(&mp, &out);
    check_framing(&out);
    of_buf_free(&out);
}

/* What a controller resumes, written again for each version: the second time it reads and writes the same. */
static void copy_continuation(const struct of_msg *msg)
{
    static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
    static struct of_continuation c;
    struct of_bytes bytes = msg->packet_in.continuation;
    struct of_buf first = {NULL, 0, 0}, second = {NULL, 0, 0};

    if (!bytes.data)
        return;
    for (size_t i = 0; i < sizeof versions; i++) {
        struct recirc left;

        if (of_continuation_decode(&bytes, msg->version, &c) != 0)
            break;
        left = of_continuation_left(&c);
        first.len = second.len = 0;
        of_continuation_encode(&first, c.id, &left, versions[i]);
        of_continuation_free(&c);
        CHECK(of_continuation_decode(&(struct of_bytes){first.data, first.len}, versions[i], &c) == 0);
        left = of_continuation_left(&c);
        of_continuation_encode(&second, c.id, &left, versions[i]);
        of_continuation_free(&c);
        CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    }
    of_buf_free(&first);
    of_buf_free(&second);
}

/* --- messages ------------------------------------------------------------ */

static void print(const struct match *match, const struct act_list *acts)
{
    free(match_format(match, NULL, NULL));
    free(match_format_megaflow(match, NULL, NULL));
    free(flow_format(&match->value, NULL, NULL));
    free(act_list_format(acts, NULL, NULL));
}

/* Rules that came by one version are dumped by any other. */
static void write_in_other_versions(struct of_msg *msg)
{
    static const uint8_t versions[] = {OF10, OF13, OF14, OF15};
    uint8_t version = msg->version;

    for (size_t i = 0; i < sizeof versions; i++) {
        struct of_buf buf = {NULL, 0, 0};

        msg->version = versions[i];
        of_msg_encode(msg, &buf);
        check_framing(&buf);
        of_buf_free(&buf);
    }
    msg->version = version;
}

static void write_and_read(struct of_msg *msg)
{
    const struct of_decode_options options = {.flow_mod_table_id = true};
    static struct of_msg again;
    struct of_buf first = {NULL, 0, 0}, second = {NULL, 0, 0};

    of_msg_encode(msg, &first);
    check_framing(&first);
    CHECK(of_msg_decode(first.data, first.len, &options, &again) == 0);
    CHECK(again.type == msg->type);
    of_msg_encode(&again, &second);
    /* One form may be written as another that reads differently: once, not for ever. */
    if (first.len != second.len || memcmp(first.data, second.data, first.len)) {
        of_msg_free(&again);
        first.len = 0;
        of_buf_add_bytes(&first, second.data, second.len);
        CHECK(of_msg_decode(first.data, first.len, &options, &again) == 0);
        second.len = 0;
        of_msg_encode(&again, &second);
        CHECK(first.len == second.len && !memcmp(first.data, second.data, first.len));
    }
    of_msg_free(&again);
    of_buf_free(&first);
    of_buf_free(&second);
}

static bool comes_back(const struct of_msg *msg)
{
    /* Errors and echoes of unknown versions are read but not written; of a multipart reply see copy_reply(). */
    return msg->version < 32 && OF_VERSIONS >> msg->version & 1 && msg->type != OF_ERROR;
}

/* Makes the list of actions exactly as long as it is, as a rule does. */
static void shrink(struct of_msg *msg)
{
    struct act_buffer *acts = &msg->acts;

    if (acts->len == 0)
        return;
    acts->data = realloc(acts->data, acts->len);
    acts->size = acts->len;
    if (msg->flow_mod.acts.len)
        msg->flow_mod.acts = act_buffer_list(acts);
}

static void fuzz_message(const uint8_t *data, size_t size, bool table_id)
{
    const struct of_decode_options options = {.flow_mod_table_id = table_id};
    static struct of_msg msg;
    uint8_t *copy = malloc(size); /* exactly as long, so that ASan sees every byte too far */

    CHECK(copy);
    memcpy(copy, data, size);
    if (size >= OF_HEADER_LEN) {
        copy[2] = (uint8_t)(size >> 8);
        copy[3] = (uint8_t)size;
    }
    if (of_msg_decode(copy, size, &options, &msg) == 0) {
        if (msg.type == OF_MULTIPART_REQUEST && msg.request.type == OF_MP_FLOW_MONITOR)
            copy_monitor_requests(&msg);
        if (msg.type == OF_MULTIPART_REPLY)
            copy_reply(&msg);
        if (msg.type == OF_RESUME || msg.type == OF_PACKET_IN)
            copy_continuation(&msg);
        if (msg.type == OF_FLOW_MOD) {
            shrink(&msg);
            print(&msg.flow_mod.match, &msg.flow_mod.acts);
            write_in_other_versions(&msg);
        }
        if (comes_back(&msg))
            write_and_read(&msg);
        of_msg_free(&msg);
    }
    free(copy);
}

/* --- texts --------------------------------------------------------------- */

static void fuzz_match(const char *text)
{
    struct match match, again;
    char *error = match_parse(text, &match, NULL, NULL), *first, *second;

    if (!error) {
        first = match_format(&match, NULL, NULL);
        error = match_parse(first, &again, NULL, NULL);
        if (!error) {
            second = match_format(&again, NULL, NULL);
            CHECK(!strcmp(first, second));
            free(second);
        }
        free(first);
    }
    free(error);
}

static void fuzz_actions(const char *text)
{
    struct act_buffer acts;
    struct act_list list;
    char *error;

    act_buffer_init(&acts);
    error = actions_parse(text, &acts, NULL, NULL);
    if (!error) {
        list = act_buffer_list(&acts);
        free(act_list_format(&list, NULL, NULL));
    }
    free(error);
    act_buffer_free(&acts);
}

static void fuzz_text(const uint8_t *data, size_t size)
{
    char *text = strndup((const char *)data, size), *actions;

    CHECK(text);
    actions = strchr(text, '\n');
    if (actions)
        *actions++ = '\0';
    fuzz_match(text);
    if (actions)
        fuzz_actions(actions);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > UINT16_MAX)
        return 0;
    if (size > 0 && data[0] == 0xff) {
        fuzz_text(data + 1, size - 1);
        return 0;
    }
    fuzz_message(data, size, false);
    fuzz_message(data, size, true);
    return 0;
}
