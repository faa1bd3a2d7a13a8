/* ovs/route/: the kernel's routes, those that operators gave, and which one is taken for an address. Control thread. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "pmd/base/memory.h"
#include "src/control/commands.h"
#include "src/net/route.h"

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

/* What may follow prefix and device, in any order. */
struct options {
    struct in6_addr gateway, source;
    uint32_t mark;
};

/* NULL, or what is wrong. */
static const char *parse_options(int argc, const char *const *argv, bool v4, struct options *options)
{
    for (int i = 3; i < argc; i++) {
        bool is_source = !strncmp(argv[i], "src=", 4);
        struct in6_addr *address = is_source ? &options->source : &options->gateway;

        if (parse_mark(argv[i], &options->mark))
            continue;
        if (!parse_address(argv[i] + (is_source ? 4 : 0), address) || !!IN6_IS_ADDR_V4MAPPED(address) != v4)
            return is_source ? "Invalid src" : "Invalid pkt_mark or gateway";
    }
    return NULL;
}

static void cmd_add(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    struct options options = {.mark = 0};
    struct sluice *sw = arg;
    struct in6_addr prefix;
    const char *fault;
    uint8_t length;

    if (!parse_prefix(argv[1], &prefix, &length)) {
        control_fail(reply, "Invalid parameters");
        return;
    }
    fault = parse_options(argc, argv, IN6_IS_ADDR_V4MAPPED(&prefix), &options);
    if (fault) {
        control_fail(reply, "%s", fault);
        return;
    }
    switch (routes_add(sw->routes, &prefix, length, options.mark, argv[2], &options.gateway, &options.source)) {
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
    struct sluice *sw = arg;
    struct in6_addr prefix;
    uint32_t mark = 0;
    uint8_t length;

    if (!parse_prefix(argv[1], &prefix, &length))
        control_fail(reply, "Invalid parameters");
    else if (argc > 2 && !parse_mark(argv[2], &mark))
        control_fail(reply, "Invalid pkt_mark");
    else if (!routes_remove(sw->routes, &prefix, length, mark))
        control_fail(reply, "Not found");
    else
        control_printf(reply, "OK\n");
}

/* A listing under way. */
struct show {
    const struct routes *routes;
    size_t position;
    bool begun;
};

static void show_route(const struct route *route, struct control_reply *reply)
{
    char prefix[INET6_ADDRSTRLEN], gateway[INET6_ADDRSTRLEN] = "", source[INET6_ADDRSTRLEN];
    int length = route->length - (IN6_IS_ADDR_V4MAPPED(&route->prefix) ? 96 : 0);

    print_address(&route->prefix, prefix, sizeof prefix);
    print_address(&route->source, source, sizeof source);
    if (!IN6_IS_ADDR_UNSPECIFIED(&route->gateway))
        print_address(&route->gateway, gateway, sizeof gateway);
    if (reply->as_json) {
        control_element(reply, json_pack("{s:s,s:i,s:I,s:s,s:s,s:s,s:b,s:b}", "prefix", prefix, "length", length,
                                         "mark", (json_int_t)route->mark, "device", route->device, "gateway", gateway,
                                         "source", source, "local", route->local, "user", route->user));
        return;
    }
    control_printf(reply, "%s: %s/%d", route->user ? "User" : "Cached", prefix, length);
    if (route->mark)
        control_printf(reply, " MARK %" PRIu32, route->mark);
    control_printf(reply, " dev %s", route->device);
    if (*gateway)
        control_printf(reply, " GW %s", gateway);
    control_printf(reply, " SRC %s%s\n", source, route->local ? " local" : "");
}

static bool show_more(void *arg, struct control_reply *reply)
{
    struct show *show = arg;
    struct route route;

    if (!show->begun && !reply->as_json)
        control_printf(reply, "Route Table:\n");
    show->begun = true;
    if (!routes_next(show->routes, &show->position, &route))
        return false;
    show_route(&route, reply);
    return true;
}

static void cmd_show(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    const struct sluice *sw = arg;
    struct show *show = calloc(1, sizeof *show);

    if (!show)
        out_of_memory("a command", 0);
    show->routes = sw->routes;
    reply->stream = (struct control_stream){.more = show_more, .end = free, .arg = show};
}

static void cmd_lookup(void *arg, int argc, const char *const *argv, struct control_reply *reply)
{
    char gateway[INET6_ADDRSTRLEN], source[INET6_ADDRSTRLEN];
    const struct sluice *sw = arg;
    struct in6_addr to;
    struct route route;
    uint32_t mark = 0;

    if (!parse_address(argv[1], &to)) {
        control_fail(reply, "Invalid parameters");
        return;
    }
    if (argc > 2 && !parse_mark(argv[2], &mark)) {
        control_fail(reply, "Invalid pkt_mark");
        return;
    }
    if (!routes_lookup(sw->routes, mark, &to, &route)) {
        control_fail(reply, "Not found");
        return;
    }
    print_address(&route.gateway, gateway, sizeof gateway);
    print_address(&route.source, source, sizeof source);
    control_printf(reply, "src %s\ngateway %s\ndev %s\n", source, gateway, route.device);
    reply->json = json_pack("{s:s,s:s,s:s}", "source", source, "gateway", gateway, "device", route.device);
}

void commands_register_route(struct control *control, struct sluice *sw)
{
    control_register(control, "ovs/route/add", "ip/prefix_len dev [gw] [pkt_mark=mark] [src=ip]", 2, 5, cmd_add, sw);
    control_register(control, "ovs/route/del", "ip/prefix_len [pkt_mark=mark]", 1, 2, cmd_del, sw);
    control_register(control, "ovs/route/lookup", "ip [pkt_mark=mark]", 1, 2, cmd_lookup, sw);
    control_register(control, "ovs/route/show", "", 0, 0, cmd_show, sw);
}
