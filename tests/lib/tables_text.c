#include "tests/lib/tables_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "src/tables/group.h"
#include "src/tables/meter.h"
#include "src/tables/rule.h"
#include "src/tables/table.h"
#include "tests/lib/pipeline_bed.h"

static int compare_lines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct lines {
    char **lines;
    size_t n;
};

static void __attribute__((format(printf, 2, 3))) add_line(struct lines *lines, const char *format, ...)
{
    va_list args;

    lines->lines = realloc(lines->lines, (lines->n + 1) * sizeof *lines->lines);
    assert_non_null(lines->lines);
    va_start(args, format);
    assert_true(vasprintf(&lines->lines[lines->n++], format, args) >= 0);
    va_end(args);
}

static void add_rules(struct lines *lines, struct pipeline *pipeline)
{
    struct rule_cursor *cursor = rule_cursor_open(pipeline, &all_rules);
    const struct rule *rule;

    while ((rule = rule_cursor_next(cursor))) {
        struct match match;
        char *text, *acts = act_list_format(&rule->acts, NULL, NULL);

        rule_match(rule, &match);
        text = match_format(&match, NULL, NULL);
        add_line(lines, "rule %u %u 0x%lx %u %u 0x%x %u %lu %s %s", rule->table_id, rule->priority, rule->cookie,
                 rule->idle_timeout_s, rule->hard_timeout_s, rule->flags & ~RULE_CHECK_OVERLAP, rule->importance,
                 rule->created_ms, text, acts);
        free(text);
        free(acts);
    }
    rule_cursor_close(cursor);
}

static void add_groups(struct lines *lines, struct pipeline *pipeline)
{
    struct group_cursor *cursor = group_cursor_open(pipeline_groups(pipeline));
    const struct group *group;

    while ((group = group_cursor_next(cursor))) {
        add_line(lines, "group %u %u %s %lu %u", group->id, group->type, group->selection.method,
                 group->selection.param, group->n_buckets);
        for (unsigned i = 0; i < group->n_buckets; i++) {
            const struct bucket *bucket = &group->buckets[i];
            char *acts = act_list_format(&bucket->acts, NULL, NULL);

            add_line(lines, "group %u bucket %u: %u %u %u %u %s", group->id, i, bucket->id, bucket->weight,
                     bucket->watch_port, bucket->watch_group, acts);
            free(acts);
        }
    }
    group_cursor_close(cursor);
}

static void add_meters(struct lines *lines, struct pipeline *pipeline)
{
    struct meter_cursor *cursor = meter_cursor_open(pipeline_meters(pipeline));
    const struct meter_entry *meter;

    while ((meter = meter_cursor_next(cursor)))
        add_line(lines, "meter %u 0x%x %u %u %u", meter->id, meter->flags, meter->n_bands, meter->bands[0].rate,
                 meter->bands[0].burst);
    meter_cursor_close(cursor);
}

char *tables_text(struct pipeline *pipeline)
{
    struct lines lines = {0};
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    add_rules(&lines, pipeline);
    add_groups(&lines, pipeline);
    add_meters(&lines, pipeline);
    if (lines.n > 0)
        qsort(lines.lines, lines.n, sizeof *lines.lines, compare_lines);
    for (size_t i = 0; i < lines.n; i++) {
        fprintf(out, "%s\n", lines.lines[i]);
        free(lines.lines[i]);
    }
    free(lines.lines);
    fclose(out);
    return text;
}
