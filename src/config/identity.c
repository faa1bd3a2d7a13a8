#include "src/config/identity.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pmd/base/mem.h"

#define ID_LEN 32 /* hexadecimal digits */

/* False: there is none, or the machine has none yet ("uninitialized"). */
static bool read_id(const char *root, const char *path, char id[ID_LEN + 1])
{
    char whole[4096];
    FILE *file;
    bool got;

    snprintf(whole, sizeof whole, "%s%s", root, path);
    file = fopen(whole, "re");
    if (!file)
        return false;
    got = fgets(id, ID_LEN + 1, file) && strspn(id, "0123456789abcdef") == ID_LEN;
    fclose(file);
    return got;
}

char *config_identity(const char *root, const char *run_dir)
{
    char id[ID_LEN + 1], host[256] = "", *identity;

    if (read_id(root, "/etc/machine-id", id) || read_id(root, "/var/lib/dbus/machine-id", id))
        memcpy(host, id, sizeof id);
    else
        gethostname(host, sizeof host - 1);
    identity = mem_calloc(1, strlen(host) + 1 + strlen(run_dir) + 1);
    sprintf(identity, "%s %s", host, run_dir);
    return identity;
}
