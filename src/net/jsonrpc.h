/* Messages of a JSON-RPC stream, as OVS's unixctl and OVSDB (RFC 7047, 4) speak it: one JSON object behind another,
 * with nothing around them. Control thread only; nothing is allocated.
 *
 * A message may be large, so its end is looked for as it comes in, every byte once, and so are the members of the
 * object: what is in them can be parsed apart from each other, and a little at a time. Only brackets and strings are
 * looked at here: whether a value is JSON is found out by who parses it.
 */
#ifndef SRC_NET_JSONRPC_H
#define SRC_NET_JSONRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define JSONRPC_MEMBERS_MAX 8 /* of a message: "id", "method", "params", "result", "error" are known */

/* Places in the message: bytes from its beginning. The name is without its quotes and as it was written; the value may
 * have white space around it. */
struct jsonrpc_member {
    size_t name, name_len;
    size_t value, value_len;
};

/* All zero = at the beginning of a message. */
struct jsonrpc_scanner {
    size_t seen;
    int depth;
    bool in_string, escaped;
    bool in_value; /* of a member */
    unsigned n_members;
    struct jsonrpc_member members[JSONRPC_MEMBERS_MAX];
};

/* Goes on with what it has not seen of the `len` bytes from the beginning of the message. Returns the length of the
 * message if it is whole, 0 if it is not, or -1 for what is no JSON object. */
ssize_t jsonrpc_scan(struct jsonrpc_scanner *scanner, const char *text, size_t len);

/* The member of that name in a whole message; NULL: it has none. */
const struct jsonrpc_member *jsonrpc_member(const struct jsonrpc_scanner *scanner, const char *text, const char *name);

/* Returns the first byte behind the white space, or behind the one value of any kind, that begins at `at`; NULL: it
 * does not end before `end`. */
const char *jsonrpc_skip_space(const char *at, const char *end);
const char *jsonrpc_skip_value(const char *at, const char *end);

#endif
