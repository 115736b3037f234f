/*
 * pub_sip_store: entity tags over a restart, as rows "ENDS-AT TAG ADDRESS" under the person's SIP address. Without them
 * the server would show what we said before the restart beside what we say now, until it forgets.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clk.h"
#include "base/loop.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_sip.h"

#define SPACE "sip"

struct loading {
    struct pub_sip *x;
    char **gone; /* keys of rows that are of no use any more */
    size_t count;
};

static void on_row(void *arg, const char *key, const char *value);
static bool read_row(const char *value, int64_t *ret_ends_at, char **ret_tag, const char **ret_address);

void pres_pub_sip_load(struct pub_sip *x)
{
    struct loading l = {.x = x};
    if (!x->store)
        return;
    x->store->load(x->store->impl, SPACE, on_row, &l);
    for (size_t i = 0; i < l.count; i++) {
        x->store->put(x->store->impl, SPACE, l.gone[i], NULL, NULL, NULL);
        free(l.gone[i]);
    }
    free(l.gone);
}

void pres_pub_sip_keep(const struct publication *p)
{
    const struct pres_store *store = p->outlet->store;
    if (!store)
        return;
    char *value = p->tag ? mem_printf("%lld %s %s", (long long)p->ends_at, p->tag, p->address) : NULL;
    store->put(store->impl, SPACE, p->aor, value, NULL, NULL);
    free(value);
}

static void on_row(void *arg, const char *key, const char *value)
{
    struct loading *l = arg;
    int64_t ends_at;
    char *tag = NULL;
    const char *address;
    if (!read_row(value, &ends_at, &tag, &address) || ends_at <= clk_wall_s(loop_clk(l->x->loop))) {
        l->gone = mem_realloc(l->gone, l->count + 1, sizeof *l->gone);
        l->gone[l->count++] = mem_strdup(key);
        free(tag);
        return;
    }
    struct publication *p = pres_pub_sip_get(l->x, key, address);
    p->tag = tag;
    p->ends_at = ends_at;
    p->doubtful = true; /* the last answer before we stopped may not have been kept */
}

static bool read_row(const char *value, int64_t *ret_ends_at, char **ret_tag, const char **ret_address)
{
    char number[24];
    size_t len, tag_len;
    const char *tag = str_split(value, ' ', &len), *address = tag ? str_split(tag, ' ', &tag_len) : NULL;
    if (!address || !address[0] || tag_len == 0 || len >= sizeof number)
        return false;
    memcpy(number, value, len);
    number[len] = '\0';
    if (!str_to_int(number, 1, INT64_MAX, ret_ends_at))
        return false;
    *ret_tag = mem_strndup(tag, tag_len);
    *ret_address = address;
    return true;
}
