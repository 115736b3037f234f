/*
 * exchange_fb_known: what a session has learnt about its server's free/busy of many: how long a request may be, whether
 * it works at all, by which address a person answers, and who spoils the answer of everybody else. All of it can be
 * learnt anew, so tables have ceilings and forget.
 */
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/mem.h"
#include "base/str.h"
#include "exchange_fb.h"

enum { NOTES = 4096, PRIMARIES_MAX = 100000, AGAIN_FIRST_S = 60, AGAIN_MOST_S = 1800 };

struct dav_fb_noted {
    uint64_t person;
    const char *code;
    int64_t again; /* wall s */
    uint8_t what;
    uint8_t times;
};

struct primary {
    char *answered;
    char address[];
};

static struct dav_fb_noted *slot_of(const struct dav_fb_known *k, const char *address, uint64_t *ret_person);

struct dav_fb_known *dav_fb_known_new(size_t max_bytes)
{
    struct dav_fb_known *k = mem_calloc(1, sizeof(*k));

    k->url_max = FB_URL_MAX;
    k->reader = dav_fb_reader_new(max_bytes);
    k->noted = mem_calloc(NOTES, sizeof(*k->noted));
    k->primary = map_new();
    return k;
}

void dav_fb_known_free(void *known)
{
    struct dav_fb_known *k = known;
    size_t pos = 0;

    for (struct primary *p; (p = map_next(k->primary, &pos));) {
        free(p->answered);
        free(p);
    }
    map_free(&k->primary);
    dav_fb_reader_free(&k->reader);
    free(k->noted);
    free(k);
}

enum dav_fb_note dav_fb_note_of(const struct dav_fb_known *k, const char *address, int64_t now, const char **ret_code,
                                int64_t *ret_again)
{
    uint64_t person;
    const struct dav_fb_noted *slot;

    if (!k->any_noted)
        return DAV_FB_NOTE_NONE;
    slot = slot_of(k, address, &person);
    if (slot->what == DAV_FB_NOTE_NONE || slot->person != person)
        return DAV_FB_NOTE_NONE;
    if (slot->again > now + AGAIN_MOST_S) /* the clock was set back */
        return DAV_FB_NOTE_NONE;
    if (slot->what == DAV_FB_NOTE_ABSENT && slot->again <= now)
        return DAV_FB_NOTE_NONE;
    *ret_code = slot->code;
    *ret_again = slot->again;
    return slot->what;
}

void dav_fb_note(struct dav_fb_known *k, const char *address, enum dav_fb_note what, const char *code, int64_t now)
{
    uint64_t person;
    struct dav_fb_noted *slot = slot_of(k, address, &person);
    unsigned times = slot->person == person && slot->what == what ? slot->times : 0;
    int64_t wait = times < 5 ? (int64_t)AGAIN_FIRST_S << times : AGAIN_MOST_S;

    k->any_noted = true;
    *slot = (struct dav_fb_noted){.person = person,
                                  .code = code,
                                  .again = now + (what == DAV_FB_NOTE_ABSENT ? AGAIN_MOST_S : wait),
                                  .what = (uint8_t)what,
                                  .times = (uint8_t)(times < 5 ? times + 1 : times)};
}

void dav_fb_note_clear(struct dav_fb_known *k, const char *address)
{
    uint64_t person;
    struct dav_fb_noted *slot = slot_of(k, address, &person);

    if (slot->what != DAV_FB_NOTE_NONE && slot->person == person)
        *slot = (struct dav_fb_noted){.what = DAV_FB_NOTE_NONE};
}

const char *dav_fb_primary(const struct dav_fb_known *k, const char *address)
{
    const struct primary *p = map_count(k->primary) > 0 ? map_get(k->primary, address) : NULL;

    return p ? p->answered : NULL;
}

void dav_fb_primary_is(struct dav_fb_known *k, const char *address, const char *answered)
{
    struct primary *p = map_get(k->primary, address);
    size_t len = strlen(address) + 1;

    if (p) {
        free(p->answered);
        p->answered = mem_strdup(answered);
        return;
    }
    if (map_count(k->primary) >= PRIMARIES_MAX)
        return;
    p = mem_calloc(1, sizeof(*p) + len);
    memcpy(p->address, address, len);
    p->answered = mem_strdup(answered);
    map_put(k->primary, p->address, p);
}

static struct dav_fb_noted *slot_of(const struct dav_fb_known *k, const char *address, uint64_t *ret_person)
{
    uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

    for (const char *p = address; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3;
    *ret_person = hash;
    return &k->noted[(hash ^ hash >> 32) % NOTES];
}
