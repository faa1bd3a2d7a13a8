/* The messages of a bundle, as they came, one behind the other. Control thread. */
#ifndef SRC_OPENFLOW_SERVER_BUNDLE_STORE_H
#define SRC_OPENFLOW_SERVER_BUNDLE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct of_bundle_chunk;
struct of_msg;

/* All zero = empty; may be copied to move it. */
struct of_bundle_store {
    struct of_bundle_chunk *first, *last;
    size_t bytes; /* memory held */
    size_t n;     /* messages */
    /* The tunnel options that the messages are about: they stay as they are until the store is freed. */
    uint64_t options;
};

/* Where a reader is. */
struct of_bundle_reader {
    const struct of_bundle_chunk *chunk;
    size_t at;
};

/* Empties `store`: its memory goes over to `dead`, to be freed by of_bundle_store_free_some(). */
void of_bundle_store_bury(struct of_bundle_store *store, struct of_bundle_store *dead);
/* Frees about a megabyte: the pages of a large bundle take a tenth of a second to give back. Returns the bytes; 0:
 * nothing is left. */
size_t of_bundle_store_free_some(struct of_bundle_store *store);
/* Keeps a whole message. False: out of memory. */
bool of_bundle_store_add(struct of_bundle_store *store, const uint8_t *message, size_t len);
/* What was decoded of one that was kept. */
void of_bundle_store_hold(struct of_bundle_store *store, const struct of_msg *msg);

void of_bundle_reader_init(struct of_bundle_reader *reader, const struct of_bundle_store *store);
/* The next message, 8-byte aligned, and its length; NULL at the end. */
const uint8_t *of_bundle_reader_next(struct of_bundle_reader *reader, size_t *len);

#endif
