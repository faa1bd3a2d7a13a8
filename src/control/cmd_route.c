/* ovs/route/: the kernel's routes, those that operators gave, and which one is taken for an address. Control thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/net/route.h"
#include "src/net/route_kernel.h"

static void print_address(const struct in6_addr *address, char *text, size_t size)
{
    if (IN6_IS_ADDR_V4MAPPED(address))
        inet_ntop(AF_INET, &address->s6_addr[12], text, (socklen_t)size);
    else
        inet_ntop(AF_INET6, address, text, (socklen_t)size);
}

static bool parse_address(const char *text, struct in6_addr *address)
{
    struct in_addr v4;

    if (inet_pton(AF_INET, text, &v4) == 1) {
        *address = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
        memcpy(&address->s6_addr[12], &v4, sizeof v4);
        return true;
    }
    return inet_pton(AF_INET6, text, address) == 1;
}

/* "10.0.0.0/24"; without a length, the address alone. */
static bool parse_prefix(const char *text, struct in6_addr *prefix, uint8_t *length)
{
    char address[INET6_ADDRSTRLEN], *end;
    const char *slash = strchr(text, '/');
    size_t n = slash ? (size_t)(slash - text) : strlen(text);

    if (n >= sizeof address)
        return false;
    memcpy(address, text, n);
    address[n] = '\0';
    if (!parse_address(address, prefix))
        return false;
    unsigned before = IN6_IS_ADDR_V4MAPPED(prefix) ? 96 : 0;
    unsigned long bits = slash ? strtoul(slash + 1, &end, 10) : 128 - before;
    if (slash && (end == slash + 1 || *end || bits > 128 - before))
        return false;
    *length = (uint8_t)(before + bits);
    return true;
}

/* "pkt_mark=5" */
static bool parse_mark(const char *text, uint32_t *mark)
{
    char *end;

    if (strncmp(text, "pkt_mark=", 9))
        return false;
    *mark = (uint32_t)strtoul(text + 9, &end, 0);
    return end != text + 9 && !*end;
}

/* "table=5"; `with_names`: also "table=main". */
static bool parse_table(const char *text, bool with_names, uint32_t *table)
{
    static const struct {
        const char *name;
        uint32_t table;
    } names[] = {{"local", ROUTE_TABLE_LOCAL}, {"main", ROUTE_TABLE_MAIN}, {"default", ROUTE_TABLE_DEFAULT}};
    char *end;

    if (strncmp(text, "table=", 6))
        return false;
    for (size_t i = 0; with_names && i < sizeof names / sizeof *names; i++)
        if (!strcmp(text + 6, names[i].name)) {
            *table = names[i].table;
            return true;
        }
    *table = (uint32_t)strtoul(text + 6, &end, 10);
    return end != text + 6 && !*end && *table != 0;
}

/* What may follow prefix and device, in any order. */
struct options {
    struct in6_addr gateway, source;
    uint32_t mark, table;
};

/* NULL, or what is wrong. */
static const char *parse_options(int argc, const char *const *argv, bool v4, struct options *options)
{
    for (int i = 3; i < argc; i++) {
        bool is_source = !strncmp(argv[i], "src=", 4);
        struct in6_addr *address = is_source ? &options->source : &options->gateway;

        if (parse_mark(argv[i], &options->mark) || parse_table(argv[i], false, &options->table))
            continue;
        if (!strncmp(argv[i], "table=", 6))
            return "Invalid table format";
        if (!parse_address(argv[i] + (is_source ? 4 : 0), address) || !!IN6_IS_ADDR_V4MAPPED(address) != v4)
            return "Invalid pkt_mark, IP gateway or src_ip";
    }
    return NULL;
}

static void cmd_add(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct options options = {.table = ROUTE_TABLE_MAIN};
    struct sluice *sw = arg;
    struct in6_addr prefix;
    const char *fault;
    uint8_t length;

    if (!parse_prefix(argv[1], &prefix, &length)) {
        control_fail(reply, "Invalid 'ip/plen' parameter");
        return;
    }
    fault = parse_options(argc, argv, IN6_IS_ADDR_V4MAPPED(&prefix), &options);
    if (fault) {
        control_fail(reply, "%s", fault);
        return;
    }
    switch (routes_add(sw->routes, &prefix, length, options.mark, options.table, argv[2], &options.gateway,
                       &options.source)) {
    case 0:
        control_printf(reply, "OK\n");
        break;
    case -ENODEV:
        control_fail(reply, "Error while inserting route: no network interface %s", argv[2]);
        break;
    default:
        control_fail(reply, "Error while inserting route: %s has no such address to send from: %s", argv[2],
                     IN6_IS_ADDR_UNSPECIFIED(&options.source) ? "none in that network, nor in the gateway's"
                                                              : "src is not one of its own");
    }
}

static void cmd_del(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    uint32_t mark = 0, table = ROUTE_TABLE_MAIN;
    struct sluice *sw = arg;
    struct in6_addr prefix;
    uint8_t length;

    if (!parse_prefix(argv[1], &prefix, &length)) {
        control_fail(reply, "Invalid parameters");
        return;
    }
    for (int i = 2; i < argc; i++) {
        if (parse_mark(argv[i], &mark) || parse_table(argv[i], false, &table))
            continue;
        control_fail(reply, "Invalid pkt_mark or table");
        return;
    }
    if (!routes_remove(sw->routes, &prefix, length, mark, table))
        control_fail(reply, "Not found");
    else
        control_printf(reply, "OK\n");
}

/* A listing under way. */
struct show {
    const struct routes *routes;
    size_t position;
    uint32_t table; /* 0: those that there are always */
    bool all, begun;
};

static bool is_standard(uint32_t table)
{
    return table == ROUTE_TABLE_LOCAL || table == ROUTE_TABLE_MAIN || table == ROUTE_TABLE_DEFAULT;
}

static bool is_shown(const struct show *show, const struct route *route)
{
    if (show->all)
        return true;
    return show->table ? route->table == show->table : is_standard(route->table);
}

static void show_route(const struct show *show, const struct route *route, struct control_reply *reply)
{
    char prefix[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN] = "", source[INET6_ADDRSTRLEN];
    int length = route->length - (IN6_IS_ADDR_V4MAPPED(&route->prefix) ? 96 : 0);

    print_address(&route->prefix, prefix, sizeof prefix);
    print_address(&route->source, source, sizeof source);
    if (!IN6_IS_ADDR_UNSPECIFIED(&route->gateway))
        print_address(&route->gateway, gateway, sizeof gateway);
    if (reply->as_json) {
        control_element(reply, json_pack("{s:s,s:i,s:I,s:I,s:I,s:s,s:s,s:s,s:b,s:b}", "prefix", prefix, "length",
                                         length, "mark", (json_int_t)route->mark, "table", (json_int_t)route->table,
                                         "weight", (json_int_t)route->weight, "device", route->device, "gateway",
                                         gateway, "source", source, "local", route->local, "user", route->user));
        return;
    }
    control_printf(reply, "%s: %s/%d", route->user ? "User" : "Cached", prefix, length);
    if (route->mark)
        control_printf(reply, " MARK %" PRIu32, route->mark);
    control_printf(reply, " dev %s", route->device);
    if (*gateway)
        control_printf(reply, " GW %s", gateway);
    control_printf(reply, " SRC %s", source);
    if (route->weight)
        control_printf(reply, " weight %" PRIu32, route->weight);
    control_printf(reply, "%s", route->local ? " local" : "");
    if (show->all && !is_standard(route->table))
        control_printf(reply, " table %" PRIu32, route->table);
    control_printf(reply, "\n");
}

static void show_head(const struct show *show, struct control_reply *reply)
{
    if (show->table && !is_standard(show->table))
        control_printf(reply, "Route Table #%" PRIu32 ":\n", show->table);
    else if (!show->all)
        control_printf(reply, "Route Table:\n");
}

static bool show_more(void *arg, struct control_reply *reply)
{
    struct show *show = arg;
    struct route route;

    if (!show->begun && !reply->as_json)
        show_head(show, reply);
    show->begun = true;
    if (!routes_next(show->routes, &show->position, &route))
        return false;
    if (is_shown(show, &route))
        show_route(show, &route, reply);
    return true;
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    bool all = argc > 1 && !strcmp(argv[1], "table=all");
    struct show *show;
    uint32_t table = 0;

    if (argc > 1 && !all && !parse_table(argv[1], false, &table)) {
        control_fail(reply, "Invalid table format");
        return;
    }
    show = calloc(1, sizeof *show);
    if (!show)
        out_of_memory("a command", 0);
    show->routes = sw->routes;
    show->table = table;
    show->all = all;
    reply->stream = (struct control_stream){.more = show_more, .end = free, .arg = show};
}

/* One of several paths. */
static void print_path(const struct route *route, struct control_reply *reply)
{
    char gateway[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN];

    print_address(&route->gateway, gateway, sizeof gateway);
    print_address(&route->source, source, sizeof source);
    control_printf(reply, "nexthop dev %s", route->device);
    if (!IN6_IS_ADDR_UNSPECIFIED(&route->gateway))
        control_printf(reply, " gateway %s", gateway);
    control_printf(reply, " src %s weight %" PRIu32 "\n", source, route->weight);
    json_array_append_new(reply->json, json_pack("{s:s,s:s,s:s,s:I}", "source", source, "gateway", gateway, "device",
                                                 route->device, "weight", (json_int_t)route->weight));
}

/* Each path has one slot, or several in a row. */
static void print_paths(const struct sluice *sw, struct route_query *query, uint32_t n_slots,
                        struct control_reply *reply)
{
    struct route route, before = {.weight = 0};

    reply->json = json_array();
    for (query->slot = 0; query->slot < n_slots; query->slot++) {
        if (!routes_lookup(sw->routes, query, &route))
            continue;
        if (!IN6_IS_ADDR_UNSPECIFIED(&query->from))
            route.source = query->from;
        if (query->slot == 0 || !IN6_ARE_ADDR_EQUAL(&route.gateway, &before.gateway) ||
            strcmp(route.device, before.device) != 0)
            print_path(&route, reply);
        before = route;
    }
}

static bool parse_query(int argc, const char *const *argv, struct route_query *query, struct control_reply *reply)
{
    if (!parse_address(argv[1], &query->to)) {
        control_fail(reply, "Invalid parameters");
        return false;
    }
    for (int i = 2; i < argc; i++) {
        if (parse_mark(argv[i], &query->mark) ||
            (!strncmp(argv[i], "src=", 4) && parse_address(argv[i] + 4, &query->from) &&
             !IN6_IS_ADDR_V4MAPPED(&query->from) == !IN6_IS_ADDR_V4MAPPED(&query->to)))
            continue;
        control_fail(reply, "Invalid pkt_mark or src");
        return false;
    }
    return true;
}

static void cmd_lookup(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    char gateway[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN];
    struct route_query query = {.mark = 0};
    const struct sluice *sw = arg;
    struct route route;
    bool given;

    if (!parse_query(argc, argv, &query, reply))
        return;
    given = !IN6_IS_ADDR_UNSPECIFIED(&query.from);
    if ((given && !routes_has_address(sw->routes, NULL, &query.from)) || !routes_lookup(sw->routes, &query, &route)) {
        control_fail(reply, "Not found");
        return;
    }
    if (route.n_slots > 1) {
        print_paths(sw, &query, route.n_slots, reply);
        return;
    }
    print_address(&route.gateway, gateway, sizeof gateway);
    print_address(given ? &query.from : &route.source, source, sizeof source);
    control_printf(reply, "src %s\ngateway %s\ndev %s\n", source, gateway, route.device);
    reply->json = json_pack("{s:s,s:s,s:s}", "source", source, "gateway", gateway, "device", route.device);
}

/* --- rules --------------------------------------------------------------- */

static const char *table_name(uint32_t table, char text[16])
{
    switch (table) {
    case ROUTE_TABLE_LOCAL:
        return "local";
    case ROUTE_TABLE_MAIN:
        return "main";
    case ROUTE_TABLE_DEFAULT:
        return "default";
    default:
        snprintf(text, 16, "%" PRIu32, table);
        return text;
    }
}

static void print_prefix(const char *word, const struct in6_addr *prefix, uint8_t length, struct control_reply *reply)
{
    char address[INET6_ADDRSTRLEN];

    print_address(prefix, address, sizeof address);
    control_printf(reply, "%s %s", word, address);
    if (length < 128)
        control_printf(reply, "/%u", length - (IN6_IS_ADDR_V4MAPPED(prefix) ? 96 : 0));
    control_printf(reply, " ");
}

static void print_action(const struct route_rule *rule, struct control_reply *reply)
{
    char table[16];

    switch (rule->action) {
    case ROUTE_RULE_LOOKUP:
        control_printf(reply, "lookup %s", table_name(rule->table, table));
        break;
    case ROUTE_RULE_GOTO:
        control_printf(reply, "goto %" PRIu32, rule->target);
        break;
    case ROUTE_RULE_NOP:
        control_printf(reply, "nop");
        break;
    case ROUTE_RULE_REFUSE:
        control_printf(reply, "unreachable");
        break;
    }
}

/* In the words of ip-rule(8), as Open vSwitch does. */
static void print_rule(const struct route_rule *rule, struct control_reply *reply)
{
    control_printf(reply, "%s: %" PRIu32 ": %s", rule->user ? "User" : "Cached", rule->priority,
                   rule->invert ? "not " : "");
    if (rule->from_length)
        print_prefix("from", &rule->from, rule->from_length, reply);
    else
        control_printf(reply, "from all ");
    if (rule->to_length)
        print_prefix("to", &rule->to, rule->to_length, reply);
    if (rule->mark_mask == UINT32_MAX)
        control_printf(reply, "fwmark 0x%" PRIx32 " ", rule->mark);
    else if (rule->mark_mask)
        control_printf(reply, "fwmark 0x%" PRIx32 "/0x%" PRIx32 " ", rule->mark, rule->mark_mask);
    if (rule->never)
        control_printf(reply, "of an interface ");
    print_action(rule, reply);
    if (rule->suppress)
        control_printf(reply, " suppress_prefixlength %u", rule->suppress_length);
    control_printf(reply, "\n");
}

static void cmd_rule_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    const struct route_rule *rule;
    bool ipv6 = argc > 1 && !strcmp(argv[1], "-6");

    for (unsigned i = 0; (rule = routes_rule(sw->routes, i)); i++)
        if (rule->ipv6 == ipv6)
            print_rule(rule, reply);
}

static bool parse_from(const char *text, struct route_rule *rule)
{
    if (strncmp(text, "from=", 5))
        return false;
    if (!strcmp(text, "from=all"))
        return true;
    if (!parse_prefix(text + 5, &rule->from, &rule->from_length))
        return false;
    rule->ipv6 = !IN6_IS_ADDR_V4MAPPED(&rule->from);
    return true;
}

/* "[-6] [not] from=all|PREFIX [prio=N] table=TABLE". NULL, or what is wrong. */
static const char *parse_rule(int argc, const char *const *argv, struct route_rule *rule)
{
    int i = 1;

    memset(rule, 0, sizeof *rule); /* it is compared as a whole */
    if (!strcmp(argv[i], "-6")) {
        rule->ipv6 = true;
        i++;
    }
    if (i < argc && !strcmp(argv[i], "not")) {
        rule->invert = true;
        i++;
    }
    if (i == argc || !parse_from(argv[i++], rule))
        return "Invalid 'from' parameter";
    if (i < argc && !strncmp(argv[i], "prio=", 5)) {
        char *end;

        rule->priority = (uint32_t)strtoul(argv[i] + 5, &end, 10);
        if (end == argv[i++] + 5 || *end)
            return "Invalid 'prio' format";
    }
    if (i + 1 != argc)
        return i == argc ? "Not enough arguments" : "Too many arguments";
    return parse_table(argv[i], true, &rule->table) ? NULL : "Invalid 'table' format";
}

static void cmd_rule_add(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct route_rule rule;
    const char *fault = parse_rule(argc, argv, &rule);

    if (fault) {
        control_fail(reply, "%s", fault);
        return;
    }
    if (!routes_add_rule(sw->routes, &rule)) {
        control_fail(reply, "there are %u rules already: delete some with ovs/route/rule/del", ROUTE_RULES_MAX);
        return;
    }
    /* It may lead to a table that nothing led to. */
    if (sw->kernel_routes)
        route_kernel_read(sw->kernel_routes);
    control_printf(reply, "OK\n");
}

static void cmd_rule_del(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct sluice *sw = arg;
    struct route_rule rule;
    const char *fault = parse_rule(argc, argv, &rule);

    if (fault)
        control_fail(reply, "%s", fault);
    else if (!routes_remove_rule(sw->routes, &rule))
        control_fail(reply, "Failed to delete router rule: %d (%s)", ENOENT, strerror(ENOENT));
    else
        control_printf(reply, "OK\n");
}

void commands_register_route(struct control *control, struct sluice *sw)
{
    control_register(control, "ovs/route/add", "ip/prefix_len dev [gw] [pkt_mark=mark] [src=ip] [table=id]", 2, 6,
                     cmd_add, sw);
    control_register(control, "ovs/route/del", "ip/prefix_len [pkt_mark=mark] [table=id]", 1, 3, cmd_del, sw);
    control_register(control, "ovs/route/lookup", "ip [pkt_mark=mark] [src=ip]", 1, 3, cmd_lookup, sw);
    control_register(control, "ovs/route/show", "[table=all|id]", 0, 1, cmd_show, sw);
    control_register(control, "ovs/route/rule/show", "[-6]", 0, 1, cmd_rule_show, sw);
    control_register(control, "ovs/route/rule/add", "[-6] [not] from=all|ip/prefix_len [prio=num] table=id", 2, 5,
                     cmd_rule_add, sw);
    control_register(control, "ovs/route/rule/del", "[-6] [not] from=all|ip/prefix_len [prio=num] table=id", 2, 5,
                     cmd_rule_del, sw);
}
