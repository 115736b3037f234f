/*
 * fetch: names. This program brings its own getaddrinfo(), which curl's resolver thread then calls: "slow.test" hangs
 * until it is released, "good.test" is this machine. What gives up must not wait for the one that hangs.
 */
#include "fetch_world.h"

#include <netdb.h>
#include <pthread.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static unsigned entered, left;
static bool released;

static int answer_local(const char *service, const struct addrinfo *hints, struct addrinfo **ret)
{
    struct {
        struct addrinfo info;
        struct sockaddr_in address;
    } *p = mem_calloc(1, sizeof(*p));

    p->address = (struct sockaddr_in){.sin_family = AF_INET,
                                      .sin_port = htons((uint16_t)strtoul(service ? service : "0", NULL, 10)),
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    p->info = (struct addrinfo){.ai_family = AF_INET,
                                .ai_socktype = hints ? hints->ai_socktype : SOCK_STREAM,
                                .ai_addrlen = sizeof(p->address),
                                .ai_addr = (struct sockaddr *)&p->address};
    *ret = &p->info;
    return 0;
}

static void hang(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    pthread_mutex_lock(&lock);
    entered++;
    while (!released && pthread_cond_timedwait(&change, &lock, &end) == 0)
        continue;
    left++;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
}

int getaddrinfo(const char *restrict name, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict ret)
{
    if (name && strcmp(name, "good.test") == 0)
        return answer_local(service, hints, ret);
    if (name && strcmp(name, "slow.test") == 0) {
        hang();
        return EAI_AGAIN;
    }
    return EAI_NONAME;
}

void freeaddrinfo(struct addrinfo *info)
{
    free(info);
}

static bool is_resolving(unsigned count)
{
    pthread_mutex_lock(&lock);
    bool yes = entered == count;
    pthread_mutex_unlock(&lock);
    return yes;
}

static void test_good(void **state)
{
    struct outcome o = {0};
    struct world w;
    char url[100];

    (void)state;
    setup(&w, NULL);
    w.server.script.answer = OK_HELLO;
    snprintf(url, sizeof(url), "http://good.test:%u/", w.server.port);
    start(&w, &o, (struct fetch_request){.url = url});
    wait_done(&w, &o);
    assert_int_equal(o.err, FETCH_OK);
    assert_non_null(strstr(w.server.request, "Host: good.test:"));
    teardown(&w);
}

static void test_not_found(void **state)
{
    struct outcome o = {0};
    struct world w;

    (void)state;
    setup(&w, NULL);
    start(&w, &o, (struct fetch_request){.url = "http://none.test/"});
    wait_done(&w, &o);
    assert_string_equal(fetch_err_code(o.err), "dns-not-found");
    teardown(&w);
}

static void test_slow(void **state)
{
    struct outcome o[3] = {0};
    struct world w;

    (void)state;
    setup(&w, &(struct fetch_client_settings){.name = "slow", .connect_ms = 7000});
    for (int i = 0; i < 3; i++)
        start(&w, &o[i], (struct fetch_request){.url = "http://slow.test/", .total_ms = i == 0 ? 5000 : 60000});
    WAIT_UNTIL(&w, is_resolving(3));
    loop_advance(w.loop, 4999);
    fetch_cancel(&o[1].fetch);
    assert_int_equal(o[0].calls, 0);
    loop_advance(w.loop, 1);
    assert_int_equal(o[0].calls, 1);
    assert_string_equal(fetch_err_code(o[0].err), "dns-timeout");
    assert_string_equal(o[0].text, "no answer from the name server for 5000 ms");
    fetch_client_free(&w.client);
    loop_turn(w.loop, 0);
    assert_int_equal(o[1].calls + o[2].calls, 0);
    teardown(&w);
    pthread_mutex_lock(&lock);
    assert_int_equal(left, 0); /* the resolver still hangs */
    released = true;
    pthread_cond_broadcast(&change);
    while (left < 3)
        pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_not_found),
        cmocka_unit_test(test_slow),
    };
    return cmocka_run_group_tests_name("fetch-dns", tests, NULL, NULL);
}
