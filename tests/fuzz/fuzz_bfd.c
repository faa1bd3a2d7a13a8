/* A session of BFD that hears anything at any time. Input, again and again: how long nothing happens, and a length
 * (2 bytes); so many bytes, which are an IP packet if the first bit of the length is set, else what UDP carries. A
 * session that is heard of is never stuck, and what it sends is as RFC 5880 wants it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/proto/bfd.h"
#include "src/proto/bfd_frame.h"
#include "tests/fuzz/fuzz.h"

#define LOCAL 0x01020304u

struct heard {
    struct bfd *bfd;
    uint64_t n_sent;
    bool forwarding;
};

static void send_packet(void *arg, const uint8_t packet[BFD_PACKET_LEN])
{
    struct heard *heard = arg;
    uint8_t frame[BFD_FRAME_LEN];
    const uint8_t *payload;
    size_t len;

    heard->n_sent++;
    CHECK(packet[0] >> 5 == 1 && packet[2] > 0 && packet[3] == BFD_PACKET_LEN);
    CHECK((packet[1] & (BFD_FLAG_POLL | BFD_FLAG_FINAL)) != (BFD_FLAG_POLL | BFD_FLAG_FINAL));
    CHECK((packet[1] & (BFD_FLAG_MULTIPOINT | BFD_FLAG_AUTHENTICATION | BFD_FLAG_DEMAND)) == 0);
    bfd_frame_build(&(struct bfd_frame){.udp_src = 50000}, packet, frame);
    CHECK(bfd_frame_parse(frame + 14, sizeof frame - 14, &payload, &len) == BFD_OK && len == BFD_PACKET_LEN);
}

static uint64_t rx_packets(void *arg)
{
    return ((struct heard *)arg)->n_sent * 3;
}

static void changed(void *arg)
{
    struct heard *heard = arg;

    heard->forwarding = bfd_forwarding(heard->bfd);
}

/* Copies, so that what reads too far is seen. */
static void hear(struct heard *heard, const uint8_t *data, size_t len, bool is_ip, uint64_t now)
{
    uint8_t *bytes = malloc(len ? len : 1);
    const uint8_t *payload = bytes;
    enum bfd_fault fault = BFD_OK;

    CHECK(bytes);
    memcpy(bytes, data, len);
    if (is_ip)
        fault = bfd_frame_parse(bytes, len, &payload, &len);
    if (fault == BFD_OK)
        fault = bfd_receive(heard->bfd, payload, len, now);
    CHECK(fault < BFD_N_FAULTS);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct heard heard = {0};
    const struct bfd_user user = {&heard, send_packet, rx_packets, changed};
    struct bfd_config config = {.min_tx_us = 1000, .min_rx_us = 1000, .mult = 3};
    uint64_t now = 1000000;
    struct bfd_status status;

    if (size < 1)
        return 0;
    config.forwarding_if_rx = data[0] & 1;
    config.decay_min_rx_us = data[0] & 2 ? 5000 : 0;
    config.mult = data[0] & 4 ? 1 : 3;
    heard.bfd = bfd_create(&config, &user, LOCAL, now);
    for (data++, size--; size >= 2;) {
        size_t len = data[1] & 0x7f;
        bool is_ip = data[1] & 0x80;
        uint64_t until = now + (uint64_t)data[0] * data[0] * 1000;

        data += 2;
        size -= 2;
        if (len > size)
            len = size;
        for (int i = 0; i < 1000 && bfd_due_us(heard.bfd) <= until; i++) {
            now = bfd_due_us(heard.bfd) > now ? bfd_due_us(heard.bfd) : now;
            bfd_run(heard.bfd, now);
            CHECK(bfd_due_us(heard.bfd) > now); /* it has done what was due */
        }
        now = until;
        hear(&heard, data, len, is_ip, now);
        CHECK(heard.forwarding == bfd_forwarding(heard.bfd));
        data += len;
        size -= len;
    }
    /* In silence it comes down. */
    now += UINT64_C(255) * UINT32_MAX + 1;
    bfd_run(heard.bfd, now);
    bfd_get_status(heard.bfd, &status);
    CHECK(status.state == BFD_DOWN && status.remote_discriminator == 0);
    bfd_destroy(heard.bfd);
    return 0;
}
