/* sluicectl: sends one command to a running sluiced over its control socket and prints the answer. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_RUN_DIR "/run/sluice"
#define DEFAULT_TIMEOUT_S 30

static void usage(FILE *out)
{
    fprintf(out,
            "usage: sluicectl [OPTION...] COMMAND [WORD...]\n"
            "Sends COMMAND to a running sluiced. \"sluicectl list-commands\" shows what there is:\n"
            "ports, bridges, controllers, pmd, drops, flows, caches, fdb/show, dpctl/dump-flows, ofproto/trace,\n"
            "reload, exit ...\n\n"
            "  -j, --json           print the answer as JSON\n"
            "  -t, --target PATH    the control socket (default: sluiced.ctl in the run directory)\n"
            "  -r, --run-dir DIR    the run directory (default: $SLUICE_RUN_DIR or " DEFAULT_RUN_DIR ")\n"
            "  -T, --timeout SECS   give up after this long (default: %d; 0 = never)\n"
            "  -h, --help           this text\n"
            "  -V, --version        the version of sluicectl\n\n"
            "Exit status: 0 done, 1 sluiced refused the command, 2 sluiced cannot be reached or bad usage.\n",
            DEFAULT_TIMEOUT_S);
}

static int connect_to(const char *path, int timeout_s)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};

    if ((size_t)snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path) >= sizeof addr.sun_path) {
        fprintf(stderr, "sluicectl: %s: longer than a Unix socket's path may be\n", path);
        return -1;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval tv = {.tv_sec = timeout_s};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    }
    if (fd < 0 || connect(fd, (const void *)&addr, sizeof addr)) {
        fprintf(stderr, "sluicectl: %s: %s%s\n", path, strerror(errno),
                errno == ENOENT || errno == ECONNREFUSED ? " (does sluiced run, with this run_dir?)" : "");
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

static bool send_all(int fd, const char *data, size_t len)
{
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        data += n;
        len -= n;
    }
    return true;
}

static size_t read_some(void *buffer, size_t size, void *arg)
{
    ssize_t n;

    do
        n = recv(*(int *)arg, buffer, size, 0);
    while (n < 0 && errno == EINTR);
    return n < 0 ? (size_t)-1 : (size_t)n;
}

static json_t *make_request(int argc, char **argv, bool as_json)
{
    json_t *params = json_array();

    if (as_json)
        json_array_append_new(params, json_string("--json"));
    for (int i = 1; i < argc; i++)
        if (json_array_append_new(params, json_string(argv[i]))) {
            fprintf(stderr, "sluicectl: word %d is not UTF-8\n", i);
            json_decref(params);
            return NULL;
        }
    return json_pack("{s:i,s:s,s:o}", "id", 0, "method", argv[0], "params", params);
}

static int print_reply(json_t *reply)
{
    const char *error = json_string_value(json_object_get(reply, "error"));
    const char *result = json_string_value(json_object_get(reply, "result"));

    if (error && error[0] == '{') { /* for programs: what failed, object by object */
        fputs(error, stdout);
        return 1;
    }
    if (error) {
        int len = (int)strlen(error);
        while (len > 0 && error[len - 1] == '\n')
            len--;
        fprintf(stderr, "sluicectl: %.*s\n", len, error);
        return 1;
    }
    if (!result) {
        fprintf(stderr, "sluicectl: an answer without a result\n");
        return 2;
    }
    fputs(result, stdout);
    if (*result && result[strlen(result) - 1] != '\n')
        putchar('\n');
    return ferror(stdout) || fflush(stdout) ? 2 : 0;
}

struct options {
    char socket[4096];
    int timeout_s;
    bool as_json;
};

/* Takes the options; optind is that of the command then. Returns -1 to go on, or the exit status. */
static int take_options(struct options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"json", no_argument, NULL, 'j'},
        {"target", required_argument, NULL, 't'},
        {"run-dir", required_argument, NULL, 'r'},
        {"timeout", required_argument, NULL, 'T'},
        {"help", no_argument, NULL, 'h'},
        {"version", no_argument, NULL, 'V'},
        {0},
    };
    const char *env = getenv("SLUICE_RUN_DIR"), *target = NULL, *run_dir = env && *env ? env : DEFAULT_RUN_DIR;

    *o = (struct options){.timeout_s = DEFAULT_TIMEOUT_S};
    for (int opt; (opt = getopt_long(argc, argv, "+jt:r:T:hV", options, NULL)) != -1;) {
        switch (opt) {
        case 'j':
            o->as_json = true;
            break;
        case 't':
            target = optarg;
            break;
        case 'r':
            run_dir = optarg;
            break;
        case 'T':
            o->timeout_s = atoi(optarg);
            break;
        case 'h':
            usage(stdout);
            return 0;
        case 'V':
            printf("sluicectl (Sluice) %s\n", SLUICE_VERSION);
            return 0;
        default:
            usage(stderr);
            return 2;
        }
    }
    if (optind == argc) {
        usage(stderr);
        return 2;
    }
    if (target)
        snprintf(o->socket, sizeof o->socket, "%s", target);
    else
        snprintf(o->socket, sizeof o->socket, "%s/sluiced.ctl", run_dir);
    return -1;
}

/* Sends the request and prints the answer. Returns the exit status. */
static int ask(const struct options *o, const json_t *request)
{
    int status = 2, fd = connect_to(o->socket, o->timeout_s);
    json_error_t error;
    char *text;

    if (fd < 0)
        return 2;
    text = json_dumps(request, JSON_COMPACT);
    if (!text || !send_all(fd, text, strlen(text))) {
        fprintf(stderr, "sluicectl: %s: %s\n", o->socket, strerror(errno));
    } else {
        errno = 0;
        json_t *reply = json_load_callback(read_some, &fd, JSON_DISABLE_EOF_CHECK, &error);
        if (reply)
            status = print_reply(reply);
        else if (errno == EAGAIN)
            fprintf(stderr, "sluicectl: no answer within %d s\n", o->timeout_s);
        else if (!strcmp(json_string_value(json_object_get(request, "method")), "exit"))
            status = 0; /* gone before it could say so */
        else
            fprintf(stderr, "sluicectl: %s: the connection ended without a whole answer\n", o->socket);
        json_decref(reply);
    }
    free(text);
    close(fd);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    int status = take_options(&o, argc, argv);
    json_t *request;

    if (status >= 0)
        return status;
    if (!strcmp(argv[argc - 1], "--json")) { /* "sluicectl ports --json" is what fingers type */
        o.as_json = true;
        argc--;
    }
    request = make_request(argc - optind, argv + optind, o.as_json);
    if (!request)
        return 2;
    status = ask(&o, request);
    json_decref(request);
    return status;
}
