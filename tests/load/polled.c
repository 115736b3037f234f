/*
 * polled: see polled.h. The password is shown in as many requests at once as there are connections, as the bare loop
 * does it.
 */
#include "polled.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/secret.h"
#include "davclient/session.h"
#include "presence/table.h"

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

void polled_close(struct polled *p)
{
    dav_session_close(&p->session, "done");
    pres_table_free(&p->table);
    loop_free(&p->loop);
}
