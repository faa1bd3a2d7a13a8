#include <arpa/inet.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "src/match/field_text.h"
#include "src/match/key_value.h"

/* Names of bits, ended by {0, NULL}. */
struct bit_name {
    uint32_t bit;
    const char *name;
};

static const struct bit_name tcp_bits[] = {{0x001, "fin"}, {0x002, "syn"},   {0x004, "rst"},   {0x008, "psh"},
                                           {0x010, "ack"}, {0x020, "urg"},   {0x040, "ece"},   {0x080, "cwr"},
                                           {0x100, "ns"},  {0x200, "[200]"}, {0x400, "[400]"}, {0x800, "[800]"},
                                           {0, NULL}};
static const struct bit_name ct_bits[] = {{0x01, "new"}, {0x02, "est"},  {0x04, "rel"},  {0x08, "rpl"}, {0x10, "inv"},
                                          {0x20, "trk"}, {0x40, "snat"}, {0x80, "dnat"}, {0, NULL}};
static const struct bit_name tun_bits[] = {{0x01, "oam"}, {0, NULL}};

/* NULL: the style has none. */
static const struct bit_name *bit_names(const struct field *f)
{
    switch (f->style) {
    case STYLE_TCP_FLAGS:
        return tcp_bits;
    case STYLE_CT_STATE:
        return ct_bits;
    case STYLE_TUN_FLAGS:
        return tun_bits;
    default:
        return NULL;
    }
}

/* --- ports --------------------------------------------------------------- */

static const struct {
    uint32_t port;
    const char *name;
} reserved_ports[] = {{OFPORT_UNSET, "UNSET"},           {OFPORT_IN_PORT, "IN_PORT"}, {OFPORT_TABLE, "TABLE"},
                      {OFPORT_NORMAL, "NORMAL"},         {OFPORT_FLOOD, "FLOOD"},     {OFPORT_ALL, "ALL"},
                      {OFPORT_CONTROLLER, "CONTROLLER"}, {OFPORT_LOCAL, "LOCAL"},     {OFPORT_ANY, "ANY"}};

void port_print(FILE *out, uint32_t ofport, port_namer *port_name, void *arg)
{
    const char *name = NULL;

    for (size_t i = 0; i < sizeof reserved_ports / sizeof reserved_ports[0]; i++)
        if (reserved_ports[i].port == ofport)
            name = reserved_ports[i].name;
    if (!name && port_name)
        name = port_name(arg, ofport);
    if (name)
        fputs(name, out);
    else
        fprintf(out, "%" PRIu32, ofport);
}

bool port_parse(const char *text, port_parser *port_by_name, void *arg, uint32_t *ofport)
{
    uint64_t n;

    if (text_to_u64(text, UINT32_MAX, &n)) {
        if (n >= 0xff00 && n <= 0xffff) /* OpenFlow 1.0's reserved numbers */
            n |= 0xffff0000u;
        *ofport = (uint32_t)n;
        return n < 0xff00 || n >= OFPORT_UNSET;
    }
    for (size_t i = 0; i < sizeof reserved_ports / sizeof reserved_ports[0]; i++)
        if (!strcasecmp(reserved_ports[i].name, text)) {
            *ofport = reserved_ports[i].port;
            return true;
        }
    if (!strcasecmp(text, "none")) {
        *ofport = OFPORT_ANY;
        return true;
    }
    return port_by_name && port_by_name(arg, text, ofport);
}

/* --- parsing ------------------------------------------------------------- */

static void put_number(const struct field *f, union field_value *v, uint64_t number)
{
    memset(v, 0, sizeof *v);
    for (unsigned i = f->n_bytes; i-- > 0; number >>= 8)
        v->b[i] = (uint8_t)number;
}

static uint64_t get_number(const struct field *f, const union field_value *v)
{
    uint64_t n = 0;

    for (unsigned i = 0; i < f->n_bytes; i++)
        n = n << 8 | v->b[i];
    return n;
}

static bool parse_hex_wide(const struct field *f, const char *text, union field_value *v)
{
    size_t n = strlen(text + 2);

    memset(v, 0, sizeof *v);
    if (strspn(text + 2, "0123456789abcdefABCDEF") != n || n == 0 || n > f->n_bytes * 2u)
        return false;
    for (size_t i = 0; i < n; i++) {
        char c = text[2 + n - 1 - i];
        unsigned digit = c <= '9' ? c - '0' : (c | 32) - 'a' + 10;

        v->b[f->n_bytes - 1 - i / 2] |= digit << (i % 2 * 4);
    }
    return true;
}

static bool parse_number(const struct field *f, const char *text, union field_value *v)
{
    uint64_t n;

    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
        return parse_hex_wide(f, text, v);
    if (!text_to_u64(text, f->n_bytes < 8 ? (UINT64_C(1) << f->n_bytes * 8) - 1 : UINT64_MAX, &n))
        return false;
    put_number(f, v, n);
    return true;
}

static bool parse_ether(const char *text, union field_value *v)
{
    const char *p = text;

    for (int i = 0; i < 6; i++) {
        char *end;
        unsigned long n = strtoul(p, &end, 16);

        if (end == p || end - p > 2 || n > 255 || *end != (i < 5 ? ':' : '\0'))
            return false;
        v->b[i] = (uint8_t)n;
        p = end + 1;
    }
    return true;
}

static void put_prefix(union field_value *mask, unsigned bits)
{
    memset(mask, 0, sizeof *mask);
    for (unsigned i = 0; i < bits; i++)
        mask->b[i / 8] |= 0x80 >> i % 8;
}

static bool parse_address(const struct field *f, const char *text, union field_value *v)
{
    return inet_pton(f->style == STYLE_IPV4 ? AF_INET : AF_INET6, text, v->b) == 1;
}

static bool parse_one(const struct field *f, const char *text, bool is_mask, port_parser *port_by_name, void *arg,
                      union field_value *v)
{
    uint64_t n;
    uint32_t port;

    memset(v, 0, sizeof *v);
    switch (f->style) {
    case STYLE_ETHER:
        return parse_ether(text, v);
    case STYLE_IPV4:
    case STYLE_IPV6:
        if (is_mask && text_to_u64(text, f->n_bytes * 8, &n)) {
            put_prefix(v, (unsigned)n);
            return true;
        }
        return parse_address(f, text, v);
    case STYLE_PORT:
        if (is_mask)
            return parse_number(f, text, v);
        if (!port_parse(text, port_by_name, arg, &port))
            return false;
        put_number(f, v, port);
        return true;
    default:
        return parse_number(f, text, v);
    }
}

static bool parse_frag(const struct field *f, const char *text, union field_value *value, union field_value *mask)
{
    static const struct {
        const char *name;
        uint8_t value, mask;
    } kinds[] = {{"no", 0, 3}, {"yes", 1, 1}, {"first", 1, 3}, {"later", 3, 3}, {"not_later", 0, 2}};

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcasecmp(kinds[i].name, text)) {
            put_number(f, value, kinds[i].value);
            put_number(f, mask, kinds[i].mask);
            return true;
        }
    return false;
}

static uint32_t bit_of(const struct bit_name *names, const char *name, size_t len)
{
    for (; names->name; names++)
        if (strlen(names->name) == len && !strncmp(names->name, name, len))
            return names->bit;
    return 0;
}

/* "+syn-ack": the bits named; "syn|ack": these and no others. */
static bool parse_bits(const struct field *f, const char *text, union field_value *value, union field_value *mask)
{
    const struct bit_name *names = bit_names(f);
    bool signs = *text == '+' || *text == '-';
    uint32_t v = 0, m = 0, all = (1u << f->n_bits) - 1;

    while (*text) {
        bool off = *text == '-';
        size_t len;
        uint32_t bit;

        if (signs ? *text != '+' && *text != '-' : *text == '|' && m == 0)
            return false;
        text += signs || *text == '|';
        len = strcspn(text, signs ? "+-" : "|");
        bit = bit_of(names, text, len);
        if (!bit || m & bit)
            return false;
        m |= bit;
        v |= signs && off ? 0 : bit;
        text += len;
    }
    put_number(f, value, v);
    put_number(f, mask, signs ? m : all);
    return m != 0;
}

static bool parse_packet_type(const struct field *f, const char *text, union field_value *value)
{
    unsigned ns, type;
    int used = 0;

    if (sscanf(text, "(%i,%i)%n", (int *)&ns, (int *)&type, &used) != 2 || text[used] || ns > 0xffff || type > 0xffff)
        return false;
    put_number(f, value, ns << 16 | type);
    return true;
}

char *field_value_parse(const struct field *f, const char *text, port_parser *port_by_name, void *arg,
                        union field_value *value, union field_value *mask)
{
    char first[80];
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    bool ok;

    memset(mask, 0, sizeof *mask);
    memset(mask->b, 0xff, f->n_bytes);
    if (f->n_bytes == 0)
        return text_error("%s: no option is bound to it", f->name);
    if (f->style == STYLE_FRAG) {
        if (parse_frag(f, text, value, mask))
            return NULL;
        return text_error("%s: %s is not one of no, yes, first, later, not_later", f->name, text);
    }
    if (f->style == STYLE_PACKET_TYPE)
        return parse_packet_type(f, text, value) ? NULL : text_error("%s: %s is not (ns,type)", f->name, text);
    if (bit_names(f) && !(*text >= '0' && *text <= '9')) {
        if (parse_bits(f, text, value, mask))
            return NULL;
        return text_error("%s: %s: unknown flag(s)", f->name, text);
    }
    if (len >= sizeof first)
        return text_error("%s: value too long", f->name);
    memcpy(first, text, len);
    first[len] = '\0';
    ok = parse_one(f, first, false, port_by_name, arg, value);
    if (ok && slash)
        ok = parse_one(f, slash + 1, true, port_by_name, arg, mask);
    if (!ok)
        return f->style == STYLE_PORT ? text_error("%s: invalid or unknown port for %s", text, f->name)
                                      : text_error("%s: invalid value for %s", text, f->name);
    for (unsigned i = 0; i < f->n_bytes; i++)
        value->b[i] &= mask->b[i];
    if (!field_value_valid(f, value))
        return text_error("%s is not a valid value for field %s", text, f->name);
    return NULL;
}

/* --- printing ------------------------------------------------------------ */

/* "+syn-ack" where the mask has holes, "syn|ack" where it has not. */
static void print_bits(FILE *out, const struct bit_name *names, uint32_t value, uint32_t mask, bool whole)
{
    bool first = true;

    for (; names->name; names++) {
        if (!whole && mask & names->bit)
            fprintf(out, "%c%s", value & names->bit ? '+' : '-', names->name);
        else if (whole && value & names->bit) {
            fprintf(out, "%s%s", first ? "" : "|", names->name);
            first = false;
        }
    }
    if (whole && first)
        fputc('0', out);
}

static void print_hex_wide(FILE *out, const uint8_t *b, unsigned n)
{
    unsigned i = 0;

    while (i < n - 1 && !b[i])
        i++;
    fprintf(out, b[i] || i < n - 1 ? "0x%x" : "%x", b[i]);
    for (i++; i < n; i++)
        fprintf(out, "%02x", b[i]);
}

/* Number of leading ones if nothing else is set, -1 otherwise. */
static int prefix_len(const union field_value *mask, unsigned n_bytes)
{
    unsigned bits = 0;

    while (bits < n_bytes * 8 && mask->b[bits / 8] & 0x80 >> bits % 8)
        bits++;
    for (unsigned i = bits; i < n_bytes * 8; i++)
        if (mask->b[i / 8] & 0x80 >> i % 8)
            return -1;
    return (int)bits;
}

static void print_ether(FILE *out, const uint8_t *b)
{
    fprintf(out, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void print_address(FILE *out, const struct field *f, const union field_value *value)
{
    char text[INET6_ADDRSTRLEN];

    fputs(inet_ntop(f->style == STYLE_IPV4 ? AF_INET : AF_INET6, value->b, text, sizeof text), out);
}

static bool mask_is_whole(const struct field *f, const union field_value *mask)
{
    struct flow set;

    memset(&set, 0, sizeof set);
    field_set(f, &set, mask, NULL);
    return field_is_exact(f, &set) || f->id == FIELD_IN_PORT;
}

static void print_number(FILE *out, const struct field *f, const union field_value *v, bool hex)
{
    if (f->n_bytes > 8)
        print_hex_wide(out, v->b, f->n_bytes);
    else if (!hex)
        fprintf(out, "%" PRIu64, get_number(f, v));
    else if (f->id == FIELD_ETH_TYPE || f->id == FIELD_VLAN_TCI)
        fprintf(out, "0x%04" PRIx64, get_number(f, v));
    else
        fprintf(out, "%#" PRIx64, get_number(f, v));
}

void field_value_print(FILE *out, const struct field *f, const union field_value *value, const union field_value *mask,
                       port_namer *port_name, void *arg)
{
    bool whole = mask_is_whole(f, mask);
    int prefix;

    switch (f->style) {
    case STYLE_ETHER:
        print_ether(out, value->b);
        if (!whole) {
            fputc('/', out);
            print_ether(out, mask->b);
        }
        return;
    case STYLE_IPV4:
    case STYLE_IPV6:
        print_address(out, f, value);
        prefix = prefix_len(mask, f->n_bytes);
        if (!whole && prefix >= 0)
            fprintf(out, "/%d", prefix);
        else if (!whole) {
            fputc('/', out);
            print_address(out, f, mask);
        }
        return;
    case STYLE_PORT:
        port_print(out,
                   f->id == FIELD_IN_PORT && get_number(f, value) >= 0xff00
                       ? 0xffff0000u | (uint32_t)get_number(f, value)
                       : (uint32_t)get_number(f, value),
                   port_name, arg);
        return;
    case STYLE_FRAG: {
        unsigned v = value->b[0], m = mask->b[0] & 3;
        const char *text = m == 3   ? (v & 1   ? (v & 2 ? "later" : "first")
                                       : v & 2 ? "<error>"
                                               : "no")
                           : m == 1 ? (v & 1 ? "yes" : "no")
                                    : (v & 2 ? "later" : "not_later");

        fputs(text, out);
        return;
    }
    case STYLE_TCP_FLAGS:
    case STYLE_CT_STATE:
    case STYLE_TUN_FLAGS:
        print_bits(out, bit_names(f), (uint32_t)get_number(f, value), (uint32_t)get_number(f, mask),
                   whole && f->style != STYLE_TUN_FLAGS);
        return;
    case STYLE_PACKET_TYPE:
        fprintf(out, "(%u,%#x)", value->b[0] << 8 | value->b[1], value->b[2] << 8 | value->b[3]);
        return;
    case STYLE_DECIMAL:
    case STYLE_HEX:
        print_number(out, f, value, f->style == STYLE_HEX || !whole);
        if (!whole) {
            fputc('/', out);
            print_number(out, f, mask, true);
        }
        return;
    }
}

void subfield_print(FILE *out, const struct subfield *sf)
{
    const struct field *f = sf->field;

    fputs(f->nxm_name ? f->nxm_name : f->oxm_name ? f->oxm_name : f->name, out);
    if (sf->ofs == 0 && sf->n_bits == f->n_bits)
        fputs("[]", out);
    else if (sf->n_bits == 1)
        fprintf(out, "[%u]", sf->ofs);
    else
        fprintf(out, "[%u..%u]", sf->ofs, sf->ofs + sf->n_bits - 1);
}
