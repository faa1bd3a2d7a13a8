#include "pmd/metadata.h"

#include <stdio.h>

const char *ct_label_format(const uint8_t label[CT_LABEL_LEN], char text[CT_LABEL_TEXT])
{
    unsigned i = 0;
    int len;

    while (i < CT_LABEL_LEN - 1 && label[i] == 0)
        i++;
    len = snprintf(text, CT_LABEL_TEXT, label[i] ? "0x%x" : "%x", label[i]);
    while (++i < CT_LABEL_LEN)
        len += snprintf(text + len, CT_LABEL_TEXT - (size_t)len, "%02x", label[i]);
    return text;
}

/* Not inline: most packets are not tracked. */
void ct_meta_to_key(const struct ct_meta *ct, struct flow_key *key)
{
    ct_meta_to_key_inline(ct, key);
}
