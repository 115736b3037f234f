/*
 * polled: see polled.h. The password is shown in as many requests at once as there are connections, as the bare loop
 * does it.
 */
#include "polled.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/secret.h"
#include "davclient/session.h"
#include "presence/table.h"

enum { MEETINGS_MAX = 64, STRIDE = 611953 }; /* a prime */

static void ignore_change(void *arg, pres_id id, const struct pres_presence *now)
{
    (void)arg, (void)id, (void)now;
}

void polled_open(struct polled *p, const char *driver, unsigned port, unsigned connections)
{
    char url[100], why[200];
    snprintf(url, sizeof(url), "http://127.0.0.1:%u/exchange/", port);
    struct dav_account account = {.name = "canned",
                                  .kind = DAV_KIND_EXCHANGE,
                                  .url = url,
                                  .user = "EXAMPLE\\svc",
                                  .auth = {DAV_SCHEME_BASIC},
                                  .auth_count = 1,
                                  .lm_compatibility_level = 3,
                                  .max_connections = connections,
                                  .basic_together = connections,
                                  .max_requests_per_second = 1e9};
    struct secret *secret = secret_new("secret");
    p->loop = loop_new(clk_system());
    p->session = dav_session_new(p->loop, &account, secret, why, sizeof(why));
    if (!p->session) {
        fprintf(stderr, "%s: %s\n", driver, why);
        exit(1);
    }
    p->table = pres_table_new(p->loop, ignore_change, NULL);
    secret_free(&secret);
}

void polled_people(struct polled *p, bool smoke)
{
    p->people = smoke ? 1000 : 1000000;
    for (unsigned i = 0; i < p->people; i++) {
        char address[40];
        snprintf(address, sizeof(address), "user%07u@example.test", i);
        pres_table_add(p->table, &(struct pres_person_spec){.address = address, .stale_after = 86400});
    }
}

void polled_know(struct polled *p, unsigned like)
{
    struct pres_interval meetings[MEETINGS_MAX];
    for (pres_id id = like; id < p->people; id++) {
        struct pres_known known;
        pres_table_known(p->table, id % like, &known);
        size_t n = pres_set_count(known.set) < MEETINGS_MAX ? pres_set_count(known.set) : MEETINGS_MAX;
        for (size_t i = 0; i < n; i++)
            meetings[i] = pres_set_at(known.set, i);
        pres_table_update(p->table, id, meetings, n, known.from, known.until, known.as_of);
        if (id % 1000 == 0)
            loop_turn(p->loop, 0);
    }
    for (unsigned turn = 0; turn < 1000 || !pres_table_settled(p->table, clk_wall_s(loop_clk(p->loop))); turn++)
        loop_turn(p->loop, 0);
}

unsigned polled_turn(const struct polled *p, unsigned n)
{
    return (unsigned)((uint64_t)n * STRIDE % p->people);
}

void polled_close(struct polled *p)
{
    dav_session_close(&p->session, "done");
    pres_table_free(&p->table);
    loop_free(&p->loop);
}
