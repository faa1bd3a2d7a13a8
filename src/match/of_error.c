#include "src/match/of_error.h"

#include <stddef.h>

static const struct {
    const char *name, *text;
} errors[OFPERR_N] = {[OFPERR_NONE] = {"NONE", "no error"},
#define X(symbol, t10, c10, t13, c13, text) [symbol] = {#symbol, text},
                      OF_ERRORS(X)
#undef X
};

static const char *skip_prefix(const char *symbol)
{
    static const char prefix[] = "OFPERR_";
    size_t i = 0;

    while (prefix[i] && symbol[i] == prefix[i])
        i++;
    return prefix[i] ? symbol : symbol + i;
}

const char *of_error_name(enum of_error error)
{
    return error < OFPERR_N ? skip_prefix(errors[error].name) : "UNKNOWN";
}

const char *of_error_text(enum of_error error)
{
    return error < OFPERR_N ? errors[error].text : "unknown error";
}
