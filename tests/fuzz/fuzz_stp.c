/* A bridge of a spanning tree that hears anything at any time. Input, again and again: how long nothing happens, what
 * happens to which of three ports, and for a BPDU its length and so many bytes. What is sent can be read, no two ports
 * that heard nothing are both cut off, and in silence the bridge is the root and forwards. */
#include <stdlib.h>
#include <string.h>

#include "src/proto/stp.h"
#include "tests/fuzz/fuzz.h"

#define SECOND_US UINT64_C(1000000)
#define PORTS 3

static int ports[PORTS];
static uint64_t n_sent;

static void send_bpdu(void *arg, void *port, const uint8_t *bytes, size_t len)
{
    struct stp_bpdu bpdu;

    n_sent++;
    CHECK(stp_bpdu_parse(bytes, len, &bpdu) == STP_OK);
}

static void state_changed(void *arg, void *port)
{
}

static void flush(void *arg)
{
}

static void delayed(void *arg)
{
}

/* Copies, so that what reads too far is seen. */
static void hear(struct stp *stp, int i, const uint8_t *data, size_t len, uint64_t now)
{
    uint8_t *bytes = malloc(len ? len : 1);

    CHECK(bytes);
    memcpy(bytes, data, len);
    CHECK(stp_receive(stp, &ports[i], bytes, len, now) < STP_N_FAULTS);
    free(bytes);
}

static void run_to(struct stp *stp, uint64_t *now, uint64_t until)
{
    for (int i = 0; i < 2000 && stp_due_us(stp) <= until; i++) {
        *now = stp_due_us(stp) > *now ? stp_due_us(stp) : *now;
        stp_run(stp, *now);
    }
    *now = until;
    stp_run(stp, *now);
}

static void act(struct stp *stp, int i, unsigned what, uint64_t now)
{
    const struct stp_port_config config = {(uint8_t)(i + 1), (uint8_t)(what * 16), (uint16_t)what};

    switch (what % 4) {
    case 0:
        stp_set_link(stp, &ports[i], what & 4, now);
        break;
    case 1:
        stp_add(stp, &ports[i], "p", &config, now);
        break;
    case 2:
        stp_remove(stp, &ports[i], now);
        break;
    default:
        stp_detect_change(stp, now);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct stp_user user = {NULL, send_bpdu, state_changed, flush, delayed};
    struct stp_config config = {{2, 0, 0, 0, 0, 1}, 0x8000, 2000, 20000, 15000};
    uint64_t now = SECOND_US;
    struct stp *stp;

    if (size < 1)
        return 0;
    config.priority = (uint16_t)(data[0] << 8);
    stp = stp_create(&config, &user, now);
    for (int i = 0; i < PORTS; i++) {
        act(stp, i, 1, now);
        act(stp, i, 4, now);
    }
    for (data++, size--; size >= 2;) {
        int i = data[1] % PORTS;
        unsigned what = data[1] / PORTS;

        run_to(stp, &now, now + (uint64_t)data[0] * data[0] * 2000);
        data += 2;
        size -= 2;
        if (what < 16) {
            act(stp, i, what, now);
        } else {
            size_t len = what < size ? what : size;

            hear(stp, i, data, len, now);
            data += len;
            size -= len;
        }
        CHECK(stp_is_root(stp) == !stp->root_port);
    }
    run_to(stp, &now, now + 1000 * SECOND_US);
    CHECK(stp_is_root(stp));
    for (int i = 0; i < PORTS; i++) {
        const struct stp_port *p = stp_find(stp, &ports[i]);

        CHECK(!p || p->state == STP_DISABLED || p->state == STP_FORWARDING);
    }
    stp_destroy(stp);
    return 0;
}
