/* The keys of quality of service on a port: bridges[].ports[].qos. */
#include "src/config/keys_impl.h"

static const struct config_key queue_keys[] = {
    {
        .name = "queue",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, queue),
        .required = true,
        .min = 0,
        .max = CONFIG_QUEUE_MAX,
        .doc =
            "Number of the queue, by which rules name it (`set_queue`, `enqueue`); each at most once. 0 is the queue "
            "of packets that no rule gave another.",
        .example = "1",
    },
    {
        .name = "min_rate",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, min_rate),
        .min = 1,
        .max = INT32_MAX,
        .zero = "nothing is guaranteed",
        .unit = "kbit/s",
        .doc = "What the queue gets however much the others want; if the kernel schedules the port.",
        .example = "1000",
    },
    {
        .name = "max_rate",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, max_rate),
        .min = 1,
        .max = INT32_MAX,
        .zero = "the port's",
        .unit = "kbit/s",
        .doc = "What the queue gets at most.",
        .example = "2000",
    },
    {
        .name = "burst",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, burst),
        .min = 1,
        .max = INT32_MAX,
        .zero = "one packet of the MTU; where the switch limits the queue itself, a tenth of a second",
        .unit = "kbit",
        .doc = "How much may be sent at once, after a pause.",
        .example = "100",
    },
    {
        .name = "priority",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, priority),
        .min = 0,
        .max = INT32_MAX,
        .doc =
            "Queues of smaller numbers get what is left over first; of `linux-htb` on a port that the kernel schedules, "
            "with 0 to 7 told apart.",
        .example = "1",
    },
    {
        .name = "dscp",
        .change = CHANGE_LIVE,
        .type = KEY_INT,
        .offset = offsetof(struct config_queue, dscp),
        .min = 0,
        .max = 63,
        .default_int = CONFIG_DSCP_NONE,
        .default_doc = "packets keep theirs",
        .doc =
            "The DSCP that IP packets get when a rule sends them by this queue, whatever types and rates are. Queue 0, "
            "which is that of all other packets, marks none.",
        .example = "46",
    },
};
static const struct config_section queue_section = {
    .title = "bridges[].ports[].qos.queues[]",
    .doc = "A queue of the port.",
    .size = sizeof(struct config_queue),
    KEYS(queue_keys),
};

static const struct config_choice qos_types[] = {
    {"none", CONFIG_QOS_NONE, "the port sends as fast as it can"},
    {"linux-htb", CONFIG_QOS_HTB, "a hierarchy of token buckets, `max_rate` and `queues`"},
    {"linux-hfsc", CONFIG_QOS_HFSC, "hierarchical fair service curves, `max_rate` and `queues`"},
    {"linux-sfq", CONFIG_QOS_SFQ, "stochastic fairness queueing, of network interfaces of the kernel's"},
    {"linux-codel", CONFIG_QOS_CODEL, "controlled delay, likewise"},
    {"linux-fq_codel", CONFIG_QOS_FQ_CODEL, "fair queueing with controlled delay, likewise"},
    {"linux-noop", CONFIG_QOS_NOOP,
     "whatever scheduler somebody else gives the network interface stays; packets that rules have given a queue have "
     "the priority of its class, 1:`queue` + 1"},
    {"egress-policer", CONFIG_QOS_EGRESS_POLICER,
     "what is above `max_rate`, of what is behind Ethernet headers, is dropped, as `tx_policed`"},
    {NULL},
};

#define QOS_KEY(name_, type_) .name = #name_, .change = CHANGE_LIVE, .part = CONFIG_PART_QOS, .type = (type_)
#define FIELD(member) .offset = offsetof(struct config_qos, member)

static const struct config_key qos_keys[] = {
    {
        QOS_KEY(type, KEY_ENUM),
        FIELD(type),
        .choices = qos_types,
        .default_int = CONFIG_QOS_NONE,
        .doc =
            "Who decides which packet is sent when. The types of `linux-` are the kernel's schedulers (`tc(8)`), for "
            "`system` ports, and for TAPs, where they are about what the host sends. For other ports, and where the "
            "kernel lacks the scheduler, what is above the `max_rate` of port or queue is dropped, as `tx_policed`.",
        .example = "\"linux-htb\"",
    },
    {
        QOS_KEY(max_rate, KEY_INT),
        FIELD(max_rate),
        .min = 1,
        .max = INT32_MAX,
        .zero = "the speed of the link; 10 Gbit/s where that is not known",
        .unit = "kbit/s",
        .doc = "What the port sends at most, all queues together.",
        .example = "3000",
    },
    {
        QOS_KEY(burst, KEY_INT),
        FIELD(burst),
        .min = 1,
        .max = INT32_MAX,
        .zero = "a tenth of a second",
        .unit = "kbit",
        .doc = "How much may be sent at once, after a pause, where the switch drops what is above `max_rate`.",
        .example = "100",
    },
    {
        QOS_KEY(queues, KEY_SECTIONS),
        FIELD(queues),
        .count_offset = offsetof(struct config_qos, n_queues),
        .max_items = 4096,
        .section = &queue_section,
        .default_doc = "queue 0 alone",
        .doc = "The queues of `linux-htb` and `linux-hfsc`. A packet for a queue that is not there goes to queue 0.",
        .example = "[{\"queue\": 0, \"max_rate\": 2000}]",
    },
};
const struct config_section config_section_qos = {
    .title = "bridges[].ports[].qos",
    .doc = "How fast a port may send, and by which queues. `ovs-ofctl queue-stats` tells what each has sent, "
           "`sluicectl qos/show` what is set.",
    .size = sizeof(struct config_qos),
    KEYS(qos_keys),
};
