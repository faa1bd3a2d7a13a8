#include <stdio.h>
#include <string.h>

#include "src/match/key_value.h"
#include "tests/lib/flow_text.h"

char *subfield_parse(const char *text, struct subfield *sf)
{
    const struct field *field;
    char name[64];
    size_t len = strcspn(text, "[");
    unsigned from = 0, to;
    int used = 0;

    if (len >= sizeof name)
        return text_error("%s: no such field", text);
    memcpy(name, text, len);
    name[len] = '\0';
    field = field_by_name(name);
    if (!field)
        return text_error("%s: no such field", name);
    if (field->n_bytes == 0)
        return text_error("%s: no option is bound to it", name);
    to = field->n_bits - 1;
    text += len;
    if (*text && strcmp(text, "[]")) {
        if (sscanf(text, "[%u..%u]%n", &from, &to, &used) != 2 || !used || text[used]) {
            used = 0;
            if (sscanf(text, "[%u]%n", &from, &used) != 1 || !used || text[used])
                return text_error("%s%s: not a subfield", name, text);
            to = from;
        }
    }
    if (from > to || to >= field->n_bits)
        return text_error("%s%s: the field has %u bits", name, text, field->n_bits);
    *sf = (struct subfield){.field = field, .ofs = (uint8_t)from, .n_bits = (uint8_t)(to - from + 1)};
    return NULL;
}
