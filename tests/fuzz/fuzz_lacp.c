/* An aggregation of LACP that hears anything at any time. Input: a byte of configuration; then, again and again: how
 * long nothing happens, what happens to which of two members, and for a PDU its length and so many bytes. What is sent
 * can be read, and is not too much. In silence nothing stays current. */
#include <stdlib.h>
#include <string.h>

#include "src/proto/lacp.h"
#include "tests/fuzz/fuzz.h"

#define SECOND_US UINT64_C(1000000)
#define MEMBERS 2

struct heard {
    struct lacp *lacp;
    uint64_t now, n_sent;
    bool usable[MEMBERS], negotiated;
};

static int ports[MEMBERS];

static void send_pdu(void *arg, void *port, const uint8_t bytes[LACP_PDU_LEN])
{
    struct heard *heard = arg;
    struct lacp_pdu pdu;
    enum lacp_fault fault = lacp_pdu_parse(bytes, LACP_PDU_LEN, &pdu);

    heard->n_sent++;
    CHECK(fault == LACP_OK || fault == LACP_MARKER);
    CHECK(port == &ports[0] || port == &ports[1]);
    CHECK(fault == LACP_MARKER || pdu.actor.system[5] == 1);
}

static bool usable(const struct heard *heard, int i)
{
    const struct lacp_member *m = lacp_find(heard->lacp, &ports[i]);

    return m && lacp_may_use(heard->lacp, m);
}

static void changed(void *arg)
{
    struct heard *heard = arg;

    for (int i = 0; i < MEMBERS; i++)
        heard->usable[i] = usable(heard, i);
    heard->negotiated = lacp_is_negotiated(heard->lacp);
}

static void delayed(void *arg)
{
}

/* Copies, so that what reads too far is seen. */
static void hear(struct heard *heard, int i, const uint8_t *data, size_t len)
{
    uint8_t *bytes = malloc(len ? len : 1);

    CHECK(bytes);
    memcpy(bytes, data, len);
    CHECK(lacp_receive(heard->lacp, &ports[i], bytes, len, heard->now) < LACP_N_FAULTS);
    free(bytes);
}

static void run_to(struct heard *heard, uint64_t until)
{
    for (int i = 0; i < 1000 && lacp_due_us(heard->lacp) <= until; i++) {
        heard->now = lacp_due_us(heard->lacp) > heard->now ? lacp_due_us(heard->lacp) : heard->now;
        lacp_run(heard->lacp, heard->now);
        CHECK(lacp_due_us(heard->lacp) > heard->now); /* it has done what was due */
    }
    heard->now = until;
}

static void act(struct heard *heard, int i, unsigned what)
{
    const struct lacp_member_config config = {.port = (uint16_t)(what + 1), .priority = 7};

    switch (what % 4) {
    case 0:
        lacp_set_link(heard->lacp, &ports[i], what & 4, heard->now);
        break;
    case 1:
        lacp_join(heard->lacp, &ports[i], "p", &config, true, heard->now);
        break;
    case 2:
        lacp_leave(heard->lacp, &ports[i], heard->now);
        heard->usable[i] = false; /* nobody is told of what is no member */
        break;
    default:
        lacp_run(heard->lacp, heard->now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard heard = {.now = SECOND_US};
    const struct lacp_user user = {&heard, send_pdu, changed, delayed};
    const struct lacp_member_config member = {.port = 1, .priority = 1};
    struct lacp_config config = {.system_priority = 65534, .system = {2, 0, 0, 0, 0, 1}};
    uint64_t start;

    if (size < 1)
        return 0;
    config.active = data[0] & 1;
    config.fast = data[0] & 2;
    config.fallback = data[0] & 4;
    heard.lacp = lacp_create(&config, &user);
    for (int i = 0; i < MEMBERS; i++)
        lacp_join(heard.lacp, &ports[i], "p", &member, true, heard.now);
    start = heard.now;
    for (data++, size--; size >= 2;) {
        int i = data[1] >> 7;
        unsigned what = data[1] & 0x7f;

        run_to(&heard, heard.now + (uint64_t)data[0] * data[0] * 2000);
        data += 2;
        size -= 2;
        if (what < 16) {
            act(&heard, i, what);
        } else {
            size_t len = what < size ? what : size;

            hear(&heard, i, data, len);
            data += len;
            size -= len;
        }
        for (int j = 0; j < MEMBERS; j++)
            CHECK(heard.usable[j] == usable(&heard, j));
        CHECK(heard.negotiated == lacp_is_negotiated(heard.lacp));
    }
    /* Three PDUs and three answers to markers a second by each member; one that joins anew begins anew. */
    CHECK(heard.n_sent <= ((heard.now - start) / SECOND_US + 2 + size) * 6 * MEMBERS + 4096);
    run_to(&heard, heard.now + 200 * SECOND_US);
    for (int i = 0; i < MEMBERS; i++) {
        const struct lacp_member *m = lacp_find(heard.lacp, &ports[i]);

        CHECK(!m || m->status == LACP_DEFAULTED);
        CHECK(!m || lacp_may_use(heard.lacp, m) == config.fallback);
    }
    lacp_destroy(heard.lacp);
    return 0;
}
