/*
 * load-http: presence look-ups a second of CPU time, through the whole HTTP interface, beside nginx serving a static
 * file of the same size.
 *
 * A gateway in this process and nginx in another, both on one core, in turns; the client on the other core keeps some
 * connections and asks on each as soon as the answer is there. The round with the median ratio counts.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clk.h"
#include "base/log.h"
#include "base/loop.h"
#include "company.h"
#include "stopwatch.h"

enum { PEOPLE = 10000, CONNECTIONS = 32, REQUESTS = 60000, ROUNDS = 7, ANSWER_MAX = 8192 };

/* As long as the path of a look-up. */
#define FILE_NAME "presence-u1234@x.json"

struct line {
    int fd;
    size_t len;
    char answer[ANSWER_MAX];
};

/* `file`: what nginx is asked for; NULL: one person after the other. */
static void ask(struct line *line, const char *file, unsigned n)
{
    char request[256], address[32];
    int len =
        snprintf(request, sizeof(request), "GET %s%s HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n",
                 file ? file : "/v1/presence/", file ? "" : company_address(n % PEOPLE, address));
    line->len = 0;
    if (write(line->fd, request, (size_t)len) != len)
        exit(1);
}

/* Length of the body once all of it is there, 0 until then. */
static size_t whole_body(const struct line *line)
{
    const char *end = strstr(line->answer, "\r\n\r\n"), *length = strcasestr(line->answer, "\r\nContent-Length:");
    size_t body = length && end && length < end ? strtoul(length + 17, NULL, 10) : 0;
    return body > 0 && line->len >= (size_t)(end + 4 - line->answer) + body ? body : 0;
}

static int connect_to(unsigned port)
{
    struct sockaddr_in where = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&where, sizeof(where)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Ends the process: with the size of the last body as far as a status goes, 0 when something is wrong. */
static void ask_all(unsigned port, const char *file, unsigned requests, int report)
{
    static struct line lines[CONNECTIONS];
    struct epoll_event ready[CONNECTIONS];
    unsigned asked = 0, answered = 0;
    size_t body = 0;
    int epoll = epoll_create1(0);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        lines[i].fd = connect_to(port);
        epoll_ctl(epoll, EPOLL_CTL_ADD, lines[i].fd, &(struct epoll_event){.events = EPOLLIN, .data.ptr = &lines[i]});
        ask(&lines[i], file, asked++);
    }
    while (answered < requests) {
        int n = epoll_wait(epoll, ready, CONNECTIONS, -1);
        for (int i = 0; i < n; i++) {
            struct line *line = ready[i].data.ptr;
            ssize_t got = recv(line->fd, line->answer + line->len, ANSWER_MAX - 1 - line->len, 0);
            line->len += got > 0 ? (size_t)got : 0;
            line->answer[line->len] = '\0';
            if (got <= 0 || strncmp(line->answer, "HTTP/1.1 200 ", line->len < 13 ? line->len : 13) != 0)
                exit(1);
            size_t whole = whole_body(line);
            if (whole == 0)
                continue;
            body = whole;
            answered++;
            ask(line, file, asked++);
        }
    }
    exit(write(report, &body, sizeof(body)) != sizeof(body));
}

static pid_t client(unsigned port, const char *file, unsigned requests, int report)
{
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(1);
        ask_all(port, file, requests, report);
    }
    return pid;
}

/* Answers a second of CPU; *ret_body is the size of one. */
static double ours_round(struct company *c, unsigned requests, size_t *ret_body)
{
    int ends[2], status = 0;
    if (pipe(ends) != 0)
        abort();
    double began = stopwatch_cpu();
    pid_t pid = client(c->port, NULL, requests, ends[1]);
    while (waitpid(pid, &status, WNOHANG) == 0)
        for (unsigned i = 0; i < 100; i++)
            loop_turn(c->loop, 1);
    double took = stopwatch_cpu() - began;
    if (status != 0 || read(ends[0], ret_body, sizeof(*ret_body)) != sizeof(*ret_body)) {
        fprintf(stderr, "load-http: an answer of ours was no good\n");
        exit(1);
    }
    close(ends[0]);
    close(ends[1]);
    return requests / took;
}

static double nginx_round(pid_t nginx, unsigned port, unsigned requests)
{
    int null = open("/dev/null", O_WRONLY), status = 0;
    double began = stopwatch_cpu_of(nginx);
    waitpid(client(port, "/" FILE_NAME, requests, null), &status, 0);
    close(null);
    if (status != 0) {
        fprintf(stderr, "load-http: an answer of nginx was no good\n");
        exit(1);
    }
    double took = stopwatch_cpu_of(nginx) - began;
    return took > 0 ? requests / took : 0;
}

static FILE *create(const char *folder, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    return file;
}

/* 0: it is not installed. */
static pid_t nginx_start(const char *folder, size_t size, unsigned port)
{
    if (access("/usr/sbin/nginx", X_OK) != 0)
        return 0;
    FILE *file = create(folder, FILE_NAME);
    for (size_t i = 0; i < size; i++)
        fputc('x', file);
    fclose(file);
    file = create(folder, "nginx.conf");
    fprintf(file,
            "daemon off; master_process off; worker_processes 1; pid %s/pid; error_log /dev/null crit;\n"
            "events { worker_connections 1000; }\nhttp { access_log off; sendfile on; tcp_nopush on; "
            "keepalive_requests 1000000000;\n"
            "client_body_temp_path %s/t; proxy_temp_path %s/t; fastcgi_temp_path %s/t; uwsgi_temp_path %s/t; "
            "scgi_temp_path %s/t;\n"
            "types { application/json json; } open_file_cache max=10;\n"
            "server { listen 127.0.0.1:%u; root %s; } }\n",
            folder, folder, folder, folder, folder, folder, port, folder);
    fclose(file);
    pid_t pid = fork();
    if (pid == 0) {
        char path[128];
        snprintf(path, sizeof(path), "%s/nginx.conf", folder);
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        stopwatch_pin(0);
        execl("/usr/sbin/nginx", "nginx", "-p", folder, "-c", path, (char *)NULL);
        _exit(127);
    }
    int fd = -1;
    for (double until = stopwatch_now() + 30; fd < 0 && stopwatch_now() < until; usleep(20000))
        fd = connect_to(port);
    close(fd);
    return fd >= 0 ? pid : 0;
}

static unsigned free_port(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in where = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(where);
    if (fd < 0 || bind(fd, (struct sockaddr *)&where, len) || getsockname(fd, (struct sockaddr *)&where, &len))
        abort();
    close(fd);
    return ntohs(where.sin_port);
}

static void clean(const char *folder)
{
    static const char *const names[] = {FILE_NAME, "nginx.conf", "pid"};
    char path[128];
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof(path), "%s/t", folder);
    rmdir(path);
    rmdir(folder);
}

int main(int argc, char **argv)
{
    bool smoke = stopwatch_smoke(argc, argv);
    unsigned requests = smoke ? 500 : REQUESTS, rounds = smoke ? 1 : ROUNDS, port = free_port();
    char folder[] = "/tmp/freebusyd-load-XXXXXX";
    struct stopwatch_round results[ROUNDS];
    struct company c;
    size_t body;

    log_set_level(LOG_LEVEL_ERROR);
    stopwatch_pin(0);
    company_open(&c, PEOPLE, 0.001);
    company_meet(&c, clk_wall_s(clk_system()) + 3600, 1800, 0);
    ours_round(&c, requests / 10, &body); /* warm, and how large an answer is */
    if (!mkdtemp(folder))
        abort();
    pid_t nginx = nginx_start(folder, body, port);
    for (unsigned i = 0; i < rounds; i++) {
        results[i].limit = nginx ? nginx_round(nginx, port, requests) : 0;
        results[i].ours = ours_round(&c, requests, &body);
    }
    if (nginx) {
        kill(nginx, SIGTERM);
        waitpid(nginx, NULL, 0);
    }
    clean(folder);
    company_close(&c);
    stopwatch_print_median("http", "look-ups/s CPU", results, rounds,
                           "nginx, a static file of the same size");
    return 0;
}
