#include "src/config/faults.h"

#include <stdarg.h>
#include <stdlib.h>

#include "pmd/base/mem.h"

void config_faults_add(struct config_faults *faults, unsigned line, const char *path, const char *format, ...)
{
    if (faults->n == CONFIG_FAULTS_MAX) {
        faults->left_off++;
        return;
    }

    char *text;
    va_list args;
    va_start(args, format);
    text = mem_vasprintf(format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = '?';

    faults->items = mem_realloc(faults->items, faults->n + 1, sizeof *faults->items);
    faults->items[faults->n++] = (struct config_fault){.line = line, .path = mem_strdup(path), .text = text};
}

void config_faults_sort(struct config_faults *faults)
{
    /* Insertion sort: stable, and the faults of a file come almost in order. */
    for (size_t i = 1; i < faults->n; i++) {
        struct config_fault fault = faults->items[i];
        size_t j = i;

        for (; j > 0 && faults->items[j - 1].line > fault.line; j--)
            faults->items[j] = faults->items[j - 1];
        faults->items[j] = fault;
    }
}

void config_faults_print(const struct config_faults *faults, FILE *out)
{
    for (size_t i = 0; i < faults->n; i++) {
        const struct config_fault *fault = &faults->items[i];

        if (faults->file)
            fprintf(out, "%s:", faults->file);
        if (fault->line)
            fprintf(out, "%u:", fault->line);
        if (faults->file || fault->line)
            fputc(' ', out);
        if (fault->path[0])
            fprintf(out, "%s: ", fault->path);
        fprintf(out, "%s\n", fault->text);
    }
    if (faults->left_off)
        fprintf(out, "%s%sand %zu faults more\n", faults->file ? faults->file : "", faults->file ? ": " : "",
                faults->left_off);
}

void config_faults_clear(struct config_faults *faults)
{
    for (size_t i = 0; i < faults->n; i++) {
        free(faults->items[i].path);
        free(faults->items[i].text);
    }
    free(faults->items);
    free(faults->file);
    *faults = (struct config_faults){0};
}
