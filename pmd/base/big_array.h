/* Zeroed memory for tables of any size, got without a step that takes long: the pages of large ones come a few at a
 * time, before anybody looks at them, and huge where the kernel has such. A page that is read first and written then
 * costs an interrupt on every core, those that poll included. Control thread only; aborts on out of memory.
 */
#ifndef PMD_BASE_BIG_ARRAY_H
#define PMD_BASE_BIG_ARRAY_H

#include <stddef.h>

void *big_array_get(size_t bytes);
/* Sees to it that about `more` bytes behind the first `ready` have memory, too. Returns how many have it, `bytes` in
 * the end. */
size_t big_array_ready(void *array, size_t bytes, size_t ready, size_t more);
size_t big_arrays_mapped(void);                 /* bytes of address space, of all arrays that are not from malloc */
void big_array_free(void *array, size_t bytes); /* may be NULL */

#endif
