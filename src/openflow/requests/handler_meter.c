/* Meters: OpenFlow 1.3.5, 6.8 and 7.3.5.11 to 13. */
#include "pmd/base/clock.h"
#include "src/openflow/requests/handler.h"
#include "src/openflow/server/server_impl.h"
#include "src/tables/meter.h"

int of_handle_meter_mod(struct of_connection *conn, const struct of_msg *msg)
{
    int error = meter_table_mod(pipeline_meters(conn->server->bridge->pipeline), &msg->meter_mod);

    if (!error)
        of_async_requestforward(conn, msg);
    return error;
}

static void add_meter(const struct meter_table *table, const struct meter_entry *meter, struct of_multipart *mp,
                      struct of_buf *out)
{
    struct meter_counts counts;

    if (mp->type == OF_MP_METER_CONFIG) {
        of_multipart_add_meter_config(mp, out, meter);
        return;
    }
    meter_table_counts(table, meter, &counts);
    of_multipart_add_meter(mp, out, meter, &counts, clock_now_ms() - meter->created_ms);
}

int of_reply_meters(struct of_connection *conn, const struct of_multipart_request *request, struct of_multipart *mp,
                    struct of_buf *out)
{
    const struct meter_table *table = pipeline_meters(conn->server->bridge->pipeline);
    const struct meter_entry *meter;

    if (request->type == OF_MP_METER_FEATURES) {
        /* The management socket is ovs-ofctl's, which refuses OpenFlow 1.5.1's form. */
        of_multipart_add_meter_features(mp, out, conn->kind == OF_KIND_MGMT);
        return 0;
    }
    meter = meter_table_find(table, request->meter_id);
    if (!meter)
        return OFPERR_MMFC_UNKNOWN_METER;
    add_meter(table, meter, mp, out);
    return 0;
}

static void *open_meters(struct of_connection *conn)
{
    return meter_cursor_open(pipeline_meters(conn->server->bridge->pipeline));
}

static bool add_next_meter(struct of_connection *conn, void *cursor, struct of_multipart *mp, struct of_buf *out)
{
    const struct meter_entry *meter = meter_cursor_next(cursor);

    if (meter)
        add_meter(pipeline_meters(conn->server->bridge->pipeline), meter, mp, out);
    return meter;
}

static void close_meters(void *cursor)
{
    meter_cursor_close(cursor);
}

const struct of_listing_kind of_list_meters = {open_meters, add_next_meter, close_meters};
