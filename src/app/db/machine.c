/* What the database is told of the machine (ovs-vswitchd.conf.db(5), Open_vSwitch.statistics), if other_config says
 * enable-statistics: a few small files of /proc, and the file systems of local disks. */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "src/app/db/db_impl.h"
#include "src/app/options.h"

static const struct ovsdb_kind string_map = {.key = OVSDB_STRING, .value = OVSDB_STRING, .many = true};

static void put(struct ovsdb_datum *map, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(struct ovsdb_datum *map, const char *key, const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    ovsdb_datum_put_string(map, key, text);
}

static void put_load(struct ovsdb_datum *map)
{
    double load[3];

    put(map, "cpu", "%ld", sysconf(_SC_NPROCESSORS_ONLN));
    if (getloadavg(load, 3) == 3)
        put(map, "load_average", "%.2f,%.2f,%.2f", load[0], load[1], load[2]);
}

/* --- memory -------------------------------------------------------------- */

static void put_memory(struct ovsdb_datum *map)
{
    enum { TOTAL, FREE, BUFFERS, CACHED, SWAP_TOTAL, SWAP_FREE, N };
    static const char *const names[N] = {"MemTotal:", "MemFree:", "Buffers:", "Cached:", "SwapTotal:", "SwapFree:"};
    unsigned long kb[N] = {0}, value;
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128], name[64];

    if (!f)
        return;
    while (fgets(line, sizeof line, f))
        for (int i = 0; i < N; i++)
            if (sscanf(line, "%63s %lu", name, &value) == 2 && !strcmp(name, names[i]))
                kb[i] = value;
    fclose(f);
    put(map, "memory", "%lu,%lu,%lu,%lu,%lu", kb[TOTAL], kb[TOTAL] - kb[FREE], kb[BUFFERS] + kb[CACHED], kb[SWAP_TOTAL],
        kb[SWAP_TOTAL] - kb[SWAP_FREE]);
}

/* --- processes ----------------------------------------------------------- */

static unsigned long long up_ms(void)
{
    double seconds = 0;
    FILE *f = fopen("/proc/uptime", "re");

    if (f) {
        if (fscanf(f, "%lf", &seconds) != 1)
            seconds = 0;
        fclose(f);
    }
    return (unsigned long long)(seconds * 1000);
}

/* How often a monitor has started it again is not known from outside. */
static void put_process(struct ovsdb_datum *map, const char *name, long pid)
{
    unsigned long user, system, vsize;
    unsigned long long start;
    char path[64], line[1024], key[300];
    const char *rest = NULL;
    long rss, tick = sysconf(_SC_CLK_TCK);

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return;
    if (fgets(line, sizeof line, f))
        rest = strrchr(line, ')'); /* the name before it may have anything in it */
    fclose(f);
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %llu %lu %ld",
               &user, &system, &start, &vsize, &rss) != 5)
        return;
    unsigned long long now = up_ms(), since = start * 1000 / (unsigned long)tick, age = now > since ? now - since : 0;
    snprintf(key, sizeof key, "process_%s", name);
    put(map, key, "%lu,%ld,%lu,0,%llu,%llu", vsize / 1024, rss * (sysconf(_SC_PAGESIZE) / 1024),
        (user + system) * 1000 / (unsigned long)tick, age, age);
}

/* The process that has locked the file; 0: none. */
static long locked_by(const char *path)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    long pid = 0;

    if (fd < 0)
        return 0;
    if (fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK)
        pid = lock.l_pid;
    close(fd);
    return pid;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat x, y;

    return b && stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static void put_processes(struct ovsdb_datum *map, const struct options *options)
{
    DIR *dir = opendir(options->run_dir);
    const struct dirent *entry;
    char path[PATH_MAX], name[256];

    while (dir && (entry = readdir(dir))) {
        const char *end = strstr(entry->d_name, ".pid");
        if (!end || strcmp(end, ".pid"))
            continue;
        snprintf(path, sizeof path, "%s/%s", options->run_dir, entry->d_name);
        snprintf(name, sizeof name, "%.*s", (int)(end - entry->d_name), entry->d_name);
        /* To close our own would give its lock up. */
        long pid = is_same_file(path, options->daemon.pidfile) ? getpid() : locked_by(path);
        if (pid > 0)
            put_process(map, name, pid);
    }
    if (dir)
        closedir(dir);
}

/* --- file systems -------------------------------------------------------- */

/* Only disks of this machine, which answer at once; a file server may never answer. */
static void put_file_systems(struct ovsdb_datum *map)
{
    FILE *f = setmntent("/proc/self/mounts", "re");
    char text[4096] = "", buffer[4096];
    struct mntent entry;
    struct statvfs fs;
    size_t used = 0;

    while (f && used < sizeof text - 1 && getmntent_r(f, &entry, buffer, sizeof buffer)) {
        if (strncmp(entry.mnt_fsname, "/dev/", 5) || hasmntopt(&entry, "ro") || statvfs(entry.mnt_dir, &fs))
            continue;
        for (char *c = entry.mnt_dir; *c; c++)
            if (*c == ' ' || *c == ',')
                *c = '_';
        int n = snprintf(text + used, sizeof text - used, "%s%s,%llu,%llu", used ? " " : "", entry.mnt_dir,
                         (unsigned long long)fs.f_blocks * fs.f_frsize / 1024,
                         (unsigned long long)(fs.f_blocks - fs.f_bfree) * fs.f_frsize / 1024);
        if (n < 0 || (size_t)n >= sizeof text - used)
            text[used] = '\0'; /* it does not fit */
        else
            used += (size_t)n;
    }
    if (f)
        endmntent(f);
    if (used)
        ovsdb_datum_put_string(map, "file_systems", text);
}

void db_write_machine(const struct db *db, struct ovsdb_txn *txn, const struct ovsdb_row *root)
{
    const char *wanted = ovsdb_map_string(db->ovsdb, root, VSWITCH_OPEN_VSWITCH_OTHER_CONFIG, "enable-statistics");
    struct ovsdb_datum map = {0};

    if (wanted && !strcmp(wanted, "true")) {
        put_load(&map);
        put_memory(&map);
        put_processes(&map, db->sw->options);
        put_file_systems(&map);
    }
    ovsdb_txn_write(txn, root, VSWITCH_OPEN_VSWITCH_STATISTICS, &map);
    ovsdb_datum_clear(&string_map, &map);
}
