/*
 * config_identity: see config_identity.h. config_users.c asks for each person who has no publish_as of their own; that
 * no two people get one address is seen there, where all addresses meet. Here is what outlets add to that: names which
 * they make of an address by a template, and which may lose what keeps two people apart.
 */
#include "config_identity.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "config_private.h"
#include "config_users.h"
#include "presence/pub_template.h"
#include "presence/pub_webhook.h"

enum {
    NAME_LEN_MAX = 2000,
    SAID_MAX = 20,
    KEY_BASE = 16 /* a map's values are pointers, which small numbers are not */
};

static void check_template(struct gw_reading *r, const struct gw_config *c, const char *text, const char *key);
static const char *shown_as(const struct gw_user *u);
static void say_both(struct gw_reading *r, const struct gw_config *c, const struct gw_user *u,
                     const struct gw_user *other, const char *name, const char *key);

const char *gw_identity_publish_as(const struct gw_config *c, const char *address, struct arena *arena)
{
    const char *at = strrchr(address, '@');
    for (unsigned i = 0; at && i < c->identity_count; i++) {
        const struct gw_config_identity *rule = &c->identity[i];
        if (!rule->domain || !rule->publish_as || !str_eq_nocase(at + 1, rule->domain))
            continue;
        char *shown = mem_printf("%.*s@%s", (int)(at - address), address, rule->publish_as);
        const char *kept = arena_strndup(arena, shown, strlen(shown));
        free(shown);
        return kept;
    }
    return NULL;
}

void gw_identity_check(struct gw_reading *r, const struct gw_config *c)
{
    char key[80], address[400];
    for (unsigned i = 0; i < c->identity_count; i++) {
        const struct gw_config_identity *rule = &c->identity[i];
        const char *const domains[] = {rule->domain, rule->publish_as};
        static const char *const names[] = {"domain", "publish_as"};
        for (unsigned k = 0; k < 2; k++) {
            snprintf(key, sizeof key, "publish.identity[%u].%s", i, names[k]);
            snprintf(address, sizeof address, "x@%s", domains[k] ? domains[k] : "y");
            if (gw_address_wrong(address) || strpbrk(address + 2, "@ /"))
                gw_problem_at(r, "config-value", key, "is no domain name");
        }
        for (unsigned j = 0; j < i; j++)
            if (rule->domain && c->identity[j].domain && str_eq_nocase(rule->domain, c->identity[j].domain)) {
                snprintf(key, sizeof key, "publish.identity[%u].domain", i);
                gw_problem_at(r, "config-duplicate", key, "has a rule already");
            }
    }
}

void gw_identity_check_roster(struct gw_reading *r, const struct gw_config *c)
{
    char key[80];
    if (c->mqtt.server)
        check_template(r, c, c->mqtt.topic, "publish.mqtt.topic");
    for (unsigned i = 0; i < c->webhooks_count; i++) {
        const char *id = c->webhooks[i].id ? c->webhooks[i].id : pres_webhook_id(c->webhooks[i].ready);
        snprintf(key, sizeof key, "publish.webhooks[%u].%s", i, c->webhooks[i].id ? "id" : "template");
        if (id && !c->webhooks[i].persons_count && !c->webhooks[i].groups_count)
            check_template(r, c, id, key);
    }
}

static void check_template(struct gw_reading *r, const struct gw_config *c, const char *text, const char *key)
{
    bool whole =
        pres_template_has(text, "address") || (pres_template_has(text, "local") && pres_template_has(text, "domain"));
    if (whole || !c->roster)
        return;
    struct map *seen = map_new();
    struct arena *arena = arena_new((size_t)1 << 30);
    struct buf name;
    unsigned said = 0;
    buf_init(&name, NAME_LEN_MAX);
    for (size_t i = 0; i < c->roster->count && said < SAID_MAX; i++) {
        const struct gw_user *u = &c->roster->users[i];
        buf_reset(&name);
        if (!pres_template_person(&name, text, shown_as(u), u->group))
            continue;
        char *kept = arena_strndup(arena, name.data, name.len);
        if (!kept)
            break;
        str_lower(kept);
        size_t before = (size_t)(uintptr_t)map_get(seen, kept);
        if (before) {
            say_both(r, c, u, &c->roster->users[before - KEY_BASE], kept, key);
            said++;
        } else {
            map_put(seen, kept, (void *)(uintptr_t)(i + KEY_BASE));
        }
    }
    buf_free(&name);
    map_free(&seen);
    arena_free(&arena);
}

static const char *shown_as(const struct gw_user *u)
{
    return u->publish_as ? u->publish_as : u->address;
}

/* At the place of the second one, wherever that is. */
static void say_both(struct gw_reading *r, const struct gw_config *c, const struct gw_user *u,
                     const struct gw_user *other, const char *name, const char *key)
{
    char a[200], b[200], shown[200];
    struct gw_reading there = *r;
    if (u->source > 0)
        there.file = c->roster->files[u->source - 1].path;
    str_printable(u->address, strlen(u->address), a, sizeof a);
    str_printable(other->address, strlen(other->address), b, sizeof b);
    gw_problem(&there, "config-ambiguous", u->line, key, "%s and %s (line %u) would both be \"%s\"", b, a, other->line,
               str_printable(name, strlen(name), shown, sizeof shown));
    r->problems = there.problems;
    r->untold = there.untold;
}
