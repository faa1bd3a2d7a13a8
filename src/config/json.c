#include "src/config/json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pmd/base/mem.h"
#include "src/config/identity.h"
#include "src/config/json_fill.h"
#include "src/config/json_tree.h"
#include "src/config/keys.h"
#include "src/config/verify.h"

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Index of the last character before `end` that is no white space; `end` if there is none. */
static size_t last_visible(const char *text, size_t end)
{
    for (size_t i = end; i > 0; i--)
        if (!is_space(text[i - 1]))
            return i - 1;
    return end;
}

/* A hint at what people who write JSON by hand trip over. jansson's position is behind the token that it did not
 * expect. */
static const char *syntax_hint(const char *text, size_t len, const json_error_t *error)
{
    size_t end = error->position > 0 && (size_t)error->position <= len ? (size_t)error->position : len;
    size_t token = last_visible(text, end);
    size_t before = last_visible(text, token);

    switch (json_error_code(error)) {
    case json_error_invalid_utf8:
        return "; save the file as UTF-8";
    case json_error_invalid_syntax:
        break;
    default:
        return "";
    }
    if (token == end)
        return "";
    if (text[token] == '/' || text[token] == '#')
        return "; JSON has no comments";
    if (text[token] == '\'')
        return "; JSON wants double quotes";
    if ((text[token] == '}' || text[token] == ']') && before < token && text[before] == ',')
        return "; JSON has no comma after the last element";
    if (strncmp(error->text, "'}' expected near '\"", 20) == 0 || strncmp(error->text, "']' expected near", 17) == 0)
        return "; is the comma before it missing?";
    return "";
}

static void add_syntax_fault(const char *text, size_t len, const json_error_t *error, struct config_faults *faults)
{
    if (last_visible(text, len) == len)
        config_faults_add(faults, 1, "",
                          "the file is empty: it needs at least \"pmd\" and \"bridges\", see "
                          "docs/configuration.md");
    else if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        config_faults_add(faults, 1, "", "starts with a byte order mark: save the file as UTF-8 without one");
    else
        config_faults_add(faults, error->line > 0 ? error->line : 1, "", "not valid JSON: %s%s", error->text,
                          syntax_hint(text, len, error));
}

/* Gives each fault that config_verify() found the line of the value it is about. */
static void add_lines(const struct json_tree *tree, struct config_faults *faults, size_t from)
{
    for (size_t i = from; i < faults->n; i++)
        faults->items[i].line = json_tree_find(tree, faults->items[i].path)->line;
}

int config_load_buffer(const char *text, size_t len, const char *filename, struct config **out,
                       struct config_faults *faults)
{
    struct json_tree *tree;
    json_error_t error;

    *out = NULL;
    if (filename && !faults->file)
        faults->file = mem_strdup(filename);
    if (json_tree_parse(text, len, &tree, &error) != 0) {
        add_syntax_fault(text, len, &error, faults);
        return -EINVAL;
    }

    struct config *config = config_default();
    config_json_fill(&config_root, &tree->root, config, faults);
    size_t n_filled = faults->n;
    config_verify(config, faults);
    add_lines(tree, faults, n_filled);
    json_tree_free(tree);

    if (faults->n) {
        config_faults_sort(faults);
        config_free(config);
        return -EINVAL;
    }
    char *identity = config_identity("", config->run_dir);
    config_complete(config, identity);
    free(identity);
    *out = config;
    return 0;
}

/* Reads up to CONFIG_FILE_MAX bytes. Returns their number or a negative errno. */
static ssize_t read_all(int fd, char **text)
{
    size_t room = 1 << 16, len = 0;

    *text = mem_realloc(NULL, room, 1);
    for (;;) {
        ssize_t n = read(fd, *text + len, room - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return len;
        len += n;
        if (len > CONFIG_FILE_MAX)
            return -EFBIG;
        if (len == room) {
            room *= 2;
            *text = mem_realloc(*text, room, 1);
        }
    }
}

static void add_read_fault(struct config_faults *faults, int error)
{
    switch (error) {
    case ENOENT:
        config_faults_add(faults, 0, "", "no such file: give the path of a configuration file");
        break;
    case EISDIR:
        config_faults_add(faults, 0, "", "is a directory: give the path of a configuration file");
        break;
    case EACCES:
        config_faults_add(faults, 0, "", "permission denied: make it readable for the user that runs Sluice");
        break;
    case EFBIG:
        config_faults_add(faults, 0, "", "larger than %u MiB, which no configuration is: is it the right file?",
                          CONFIG_FILE_MAX >> 20);
        break;
    default:
        config_faults_add(faults, 0, "", "cannot be read: %s", strerror(error));
        break;
    }
}

int config_load_file(const char *path, struct config **out, struct config_faults *faults)
{
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -errno : read_all(fd, &text);
    int result;

    if (fd >= 0)
        close(fd);
    *out = NULL;
    if (len < 0) {
        faults->file = mem_strdup(path);
        add_read_fault(faults, -len);
        result = len;
    } else {
        result = config_load_buffer(text, len, path, out, faults);
    }
    free(text);
    return result;
}

int config_check(const char *path, FILE *out)
{
    struct config_faults faults = {0};
    struct config *config;
    int result = config_load_file(path, &config, &faults);

    config_faults_print(&faults, out);
    config_faults_clear(&faults);
    config_free(config);
    return result == 0 ? 0 : 1;
}
