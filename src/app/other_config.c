#include "src/app/other_config.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"

#define MAX_SLEEP_US 250 /* of an idle thread, where nobody says */
#define MAX_SLEEP_MOST_US 10000
#define MBUFS 131071               /* ports come while the switch runs; one less than a power of two packs best */
#define MBUFS_ORDINARY_PAGES 32767 /* which are this process's alone from the start */

struct words_reader {
    const struct other_config_pair *pairs;
    size_t n;
    const struct other_config_machine *machine;
    struct config *config;
    void (*tell)(void *arg, const char *sentence);
    void *arg;
};

static void tell(const struct words_reader *r, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void tell(const struct words_reader *r, const char *format, ...)
{
    char sentence[512];
    va_list args;

    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    r->tell(r->arg, sentence);
}

/* NULL: not given. */
static const char *get(const struct words_reader *r, const char *key)
{
    for (size_t i = 0; i < r->n; i++)
        if (!strcmp(r->pairs[i].key, key))
            return r->pairs[i].value;
    return NULL;
}

/* --- cores --------------------------------------------------------------- */

static int hex_digit(char ch)
{
    return isdigit((unsigned char)ch) ? ch - '0' : isxdigit((unsigned char)ch) ? tolower(ch) - 'a' + 10 : -1;
}

/* A mask of cores, in hexadecimal with or without "0x". */
static bool parse_mask(const char *text, cpu_set_t *set)
{
    int core = 0;

    CPU_ZERO(set);
    if (!strncasecmp(text, "0x", 2))
        text += 2;
    for (size_t i = strlen(text); i-- > 0; core += 4) {
        int digit = hex_digit(text[i]);

        if (digit < 0)
            return false;
        for (int bit = 0; bit < 4; bit++)
            if (digit & 1 << bit && core + bit < CPU_SETSIZE)
                CPU_SET(core + bit, set);
    }
    return core > 0;
}

/* Those of the mask under `key` that this process may use. False: none, and `set` is empty. */
static bool usable_cores(const struct words_reader *r, const char *key, cpu_set_t *set)
{
    const char *text = get(r, key);
    cpu_set_t wanted;
    char missing[256];

    CPU_ZERO(set);
    if (!text)
        return false;
    if (!parse_mask(text, &wanted)) {
        tell(r, "other_config:%s=%s is no mask of cores in hexadecimal: the default is used", key, text);
        return false;
    }
    CPU_AND(set, &wanted, &r->machine->cores.allowed);
    if (!CPU_EQUAL(set, &wanted)) {
        CPU_XOR(&wanted, &wanted, set);
        cores_format(&wanted, missing, sizeof missing);
        tell(r, "other_config:%s=%s: this process may not run on cores %s%s", key, text, missing,
             CPU_COUNT(set) ? "" : ": the default is used");
    }
    return CPU_COUNT(set) > 0;
}

static int first_core(const cpu_set_t *set)
{
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, set))
            return core;
    return CONFIG_CORE_NONE;
}

/* The last core of each NUMA node; never the control thread's, nor the first of all while there is another. */
static void default_pmd_cores(const struct words_reader *r, int control, cpu_set_t *set)
{
    cpu_set_t left = r->machine->cores.allowed;
    int taken[CPU_SETSIZE] = {0};

    CPU_ZERO(set);
    if (control != CONFIG_CORE_NONE && CPU_COUNT(&left) > 1)
        CPU_CLR(control, &left);
    if (CPU_COUNT(&left) > 1)
        CPU_CLR(first_core(&left), &left);
    for (int core = CPU_SETSIZE - 1; core >= 0; core--) {
        int node = CPU_ISSET(core, &left) ? r->machine->node_of(core) : -1;

        if (node < 0 || node >= CPU_SETSIZE || taken[node]++)
            continue;
        CPU_SET(core, set);
    }
}

static void choose_cores(const struct words_reader *r)
{
    struct config *config = r->config;
    cpu_set_t control, pmd;

    if (usable_cores(r, "dpdk-lcore-mask", &control))
        config->control.core = first_core(&control);
    if (!usable_cores(r, "pmd-cpu-mask", &pmd))
        default_pmd_cores(r, config->control.core, &pmd);
    /* A poll-mode thread would take the core away from the control thread. */
    if (config->control.core != CONFIG_CORE_NONE && CPU_ISSET(config->control.core, &pmd))
        config->control.core = CONFIG_CORE_NONE;
    config->pmd.cores = calloc(CPU_COUNT(&pmd), sizeof *config->pmd.cores);
    if (!config->pmd.cores)
        out_of_memory("the configuration", 0);
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &pmd))
            config->pmd.cores[config->pmd.n_cores++] = core;
}

/* --- DPDK ---------------------------------------------------------------- */

static void add_word(struct config_dpdk *dpdk, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add_word(struct config_dpdk *dpdk, const char *format, ...)
{
    va_list args;

    dpdk->eal_args = reallocarray(dpdk->eal_args, dpdk->n_eal_args + 1, sizeof *dpdk->eal_args);
    if (!dpdk->eal_args)
        out_of_memory("the configuration", 0);
    va_start(args, format);
    if (vasprintf(&dpdk->eal_args[dpdk->n_eal_args++], format, args) < 0)
        out_of_memory("the configuration", 0);
    va_end(args);
}

/* The next word of `*text`, without its quotes, in place; NULL: there is none. */
static char *next_word(char **text)
{
    char *from = *text + strspn(*text, " \t\n"), *to = from, *word = from, quote = 0;

    if (!*from)
        return NULL;
    for (; *from && (quote || !isspace((unsigned char)*from)); from++) {
        if (quote ? *from == quote : *from == '"' || *from == '\'')
            quote = quote ? 0 : *from;
        else
            *to++ = *from;
    }
    *text = *from ? from + 1 : from;
    *to = 0;
    return word;
}

/* Options of EAL that say on which cores to run: 1, or 2 with the value in the next word. */
static int core_option(const char *word)
{
    static const char *const names[] = {"-l", "-c", "--lcores", "--main-lcore", "--master-lcore"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(word, names[i]))
            return 2;
        else if (!strncmp(word, names[i], strlen(names[i])) && (word[1] != '-' || word[strlen(names[i])] == '='))
            return 1;
    return 0;
}

static void take_extra(const struct words_reader *r)
{
    const char *value = get(r, "dpdk-extra");
    char *copy = strdup(value ? value : ""), *rest = copy, *word;

    if (!copy)
        out_of_memory("the configuration", 0);
    while ((word = next_word(&rest))) {
        int words = core_option(word);

        if (!strcmp(word, "--no-huge")) {
            r->config->dpdk.hugepages = false;
        } else if (words) {
            tell(r, "other_config:dpdk-extra: %s is not used: pmd-cpu-mask and dpdk-lcore-mask say which cores", word);
            if (words == 2)
                next_word(&rest);
        } else {
            add_word(&r->config->dpdk, "%s", word);
        }
    }
    free(copy);
}

static void choose_memory(const struct words_reader *r)
{
    static const struct {
        const char *key, *option;
    } options[] = {
        {"dpdk-alloc-mem", "-m"},
        {"dpdk-socket-mem", "--socket-mem"},
        {"dpdk-socket-limit", "--socket-limit"},
        {"dpdk-hugepage-dir", "--huge-dir"},
    };
    struct config_dpdk *dpdk = &r->config->dpdk;
    bool asked = false;

    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        const char *value = get(r, options[i].key);

        if (!value || !*value)
            continue;
        add_word(dpdk, "%s", options[i].option);
        add_word(dpdk, "%s", value);
        asked = true;
    }
    /* Who asked for hugepages is told that there are none; who did not has not missed them. */
    dpdk->hugepages = asked || r->machine->hugepages;
    take_extra(r);
    dpdk->mbufs = dpdk->hugepages && r->machine->hugepages ? MBUFS : MBUFS_ORDINARY_PAGES;
}

/* --- poll-mode threads --------------------------------------------------- */

/* A number of that range under `key`, else `value`. */
static int number(const struct words_reader *r, const char *key, int least, int most, int value)
{
    const char *text = get(r, key);
    char *end;
    long n;

    if (!text)
        return value;
    n = strtol(text, &end, 10);
    if (end != text && !*end && n >= least && n <= most)
        return (int)n;
    tell(r, "other_config:%s=%s is not a number from %d to %d: %d is used", key, text, least, most, value);
    return value;
}

static void choose_pmd(const struct words_reader *r)
{
    struct config_pmd *pmd = &r->config->pmd;
    const char *probability = get(r, "emc-insert-inv-prob");

    pmd->max_sleep_us = number(r, "pmd-maxsleep", 0, MAX_SLEEP_MOST_US, MAX_SLEEP_US);
    pmd->megaflow_limit = number(r, "flow-limit", 1024, 16777216, pmd->megaflow_limit);
    pmd->max_idle_ms = number(r, "max-idle", 500, 3600000, pmd->max_idle_ms);
    if (!probability)
        return;
    if (!strcmp(probability, "0"))
        pmd->emc_entries = 0;
    else
        tell(r, "other_config:emc-insert-inv-prob=%s has no effect: each flow enters the exact-match cache, in 4 bytes",
             probability);
}

/* --- what a key does ----------------------------------------------------- */

enum effect {
    AT_START, /* cores and memory: of the command line's database; else they are in the file */
    AT_ONCE,  /* as those, and has an effect while the switch runs */
    NONE,
};

/* Keys that have an effect while the switch runs are not in it, nor are those that belong to others (ovn-chassis-idx).
 */
static const struct key {
    const char *name;
    enum effect effect;
    const char *quiet; /* values that ask for what is so anyway, besides "false" and "none"; blanks between */
    const char *why;   /* NONE: there is no effect */
} keys[] = {
    {"pmd-cpu-mask", AT_ONCE},
    {"dpdk-lcore-mask", AT_START},
    {"dpdk-alloc-mem", AT_START},
    {"dpdk-socket-mem", AT_START},
    {"dpdk-socket-limit", AT_START},
    {"dpdk-hugepage-dir", AT_START},
    {"dpdk-extra", AT_START},
    {"emc-insert-inv-prob", AT_START},
    {"dpdk-init", NONE, "true try", "DPDK is always there"},
    {"n-handler-threads", NONE, "1", "one thread resolves the misses of all ports"},
    {"n-revalidator-threads", NONE, "1", "megaflows are looked at when something changed that they depend on"},
    {"max-revalidator", NONE, "", "megaflows are looked at when something changed that they depend on"},
    {"min-revalidate-pps", NONE, "", "megaflows are looked at when something changed that they depend on"},
    {"hw-offload", NONE, "", "no flows are given to network cards"},
    {"tc-policy", NONE, "", "no flows are given to network cards"},
    {"n-offload-threads", NONE, "", "no flows are given to network cards"},
    {"offload-rebalance", NONE, "", "no flows are given to network cards"},
    {"offloaded-stats-delay", NONE, "", "no flows are given to network cards"},
    {"userspace-tso-enable", NONE, "true", "large segments go whole to ports that can take them"},
    {"per-port-memory", NONE, "", "the ports of a NUMA node share a pool of packets"},
    {"shared-mempool-config", NONE, "", "the ports of a NUMA node share a pool of packets"},
    {"smc-enable", NONE, "", "the exact-match cache has room for as many flows"},
    {"pmd-perf-metrics", NONE, "true", "they are always counted"},
    {"tx-flush-interval", NONE, "0", "packets are sent at the end of each turn of a poll-mode thread"},
    {"pmd-rxq-assign", NONE, "cycles",
     "receive queues are spread by number when ports or threads come, and by their cycles on dpif-netdev/pmd-rxq-rebalance"},
    {"pmd-auto-lb", NONE, "", "receive queues are spread by their cycles only on dpif-netdev/pmd-rxq-rebalance"},
    {"pmd-auto-lb-rebal-interval", NONE, "",
     "receive queues are spread by their cycles only on dpif-netdev/pmd-rxq-rebalance"},
    {"pmd-auto-lb-load-threshold", NONE, "",
     "receive queues are spread by their cycles only on dpif-netdev/pmd-rxq-rebalance"},
    {"pmd-auto-lb-improvement-threshold", NONE, "",
     "receive queues are spread by their cycles only on dpif-netdev/pmd-rxq-rebalance"},
    {"vhost-iommu-support", NONE, "", "vhost-user ports do not offer it"},
    {"vhost-postcopy-support", NONE, "", "vhost-user ports do not offer it"},
    {"vlan-limit", NONE, "0 2", "rules see two VLAN tags"},
};

static bool is_word_of(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; len && (at = strstr(at, word)); at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || !at[len]))
            return true;
    return false;
}

static bool asks_for_nothing(const struct key *key, const char *value)
{
    return !strcmp(value, "false") || !strcmp(value, "none") || (key->quiet && is_word_of(key->quiet, value));
}

static void note_key(const struct words_reader *r, const struct words_reader *started, const struct key *key)
{
    const char *value = get(r, key->name), *old = started ? get(started, key->name) : NULL;

    if (key->effect == NONE && value && !asks_for_nothing(key, value))
        tell(r, "other_config:%s=%s has no effect: %s", key->name, value, key->why);
    else if (key->effect != NONE && !started && value)
        tell(r, "other_config:%s has no effect: cores and memory are those of the file", key->name);
    else if (key->effect == AT_START && started && (value ? !old || strcmp(value, old) : old != NULL))
        tell(r, "other_config:%s=%s has an effect after a restart", key->name, value ? value : "");
}

void other_config_note(const struct other_config_pairs *pairs, const struct other_config_pairs *started,
                       void (*tell_fn)(void *arg, const char *sentence), void *arg)
{
    const struct words_reader r = {.pairs = pairs->items, .n = pairs->n, .tell = tell_fn, .arg = arg};
    const struct words_reader s = {.pairs = started ? started->items : NULL, .n = started ? started->n : 0};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        note_key(&r, started ? &s : NULL, &keys[i]);
}

void other_config_apply(const struct other_config_pairs *pairs, const struct other_config_machine *machine,
                        struct config *config, void (*tell_fn)(void *arg, const char *sentence), void *arg)
{
    const struct words_reader r = {pairs->items, pairs->n, machine, config, tell_fn, arg};

    choose_cores(&r);
    choose_memory(&r);
    choose_pmd(&r);
}
