#include "src/state/state_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

void state_read_boot(char boot[STATE_BOOT_LEN])
{
    const int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);

    memset(boot, 0, STATE_BOOT_LEN);
    if (fd < 0)
        return;
    if (read(fd, boot, STATE_BOOT_LEN - 1) < 0)
        boot[0] = '\0';
    close(fd);
}

bool state_write(int fd, const void *data, size_t len)
{
    const uint8_t *at = data;

    while (len > 0) {
        const ssize_t n = write(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}

bool state_read(int fd, void *data, size_t len)
{
    uint8_t *at = data;

    while (len > 0) {
        const ssize_t n = read(fd, at, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        at += n;
        len -= (size_t)n;
    }
    return true;
}
