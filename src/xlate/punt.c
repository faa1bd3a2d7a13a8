#include "src/xlate/punt.h"

#include <string.h>

#include "pmd/base/intern.h"

static struct intern_table table = {.limit = 65536};
/* A bridge that is being forgotten: NULL, or nothing of it is known any more. */
static const struct bridge *forgotten;
static uint32_t forget_at;

uint32_t punt_intern(const struct punt *punt, const uint8_t *userdata)
{
    static uint8_t content[sizeof *punt + UINT16_MAX];
    uint32_t id;

    memcpy(content, punt, sizeof *punt);
    if (punt->userdata_len)
        memcpy(content + sizeof *punt, userdata, punt->userdata_len);
    id = intern_add(&table, content, sizeof *punt + punt->userdata_len);
    if (id == 0)
        return UINT32_MAX;
    return punt->kind == PUNT_TO_PROTOCOL || punt->kind == PUNT_TO_NEIGHBOURS ? id | PUNT_ID_PROTOCOL : id;
}

static bool of_bridge(const void *content, const void *bridge)
{
    return ((const struct punt *)content)->bridge == bridge;
}

const struct punt *punt_get(uint32_t id)
{
    const struct interned *item = intern_get(&table, id & ~PUNT_ID_PROTOCOL);

    return item && !(forgotten && of_bridge(item->content, forgotten)) ? (const struct punt *)item->content : NULL;
}

bool punt_forget_bridge(const struct bridge *bridge, unsigned most)
{
    forgotten = intern_remove_some(&table, &forget_at, most, of_bridge, bridge) ? NULL : bridge;
    return !forgotten;
}

uint32_t punt_count(void)
{
    return table.n;
}

void punt_sweep_begin(void)
{
    intern_sweep_begin(&table);
}

void punt_mark(uint32_t id)
{
    intern_mark(&table, id & ~PUNT_ID_PROTOCOL);
}

bool punt_sweep_some(unsigned most)
{
    return intern_sweep_some(&table, most);
}
