/*
 * sim_path: see the header. A path is cut at its slashes first and each part is decoded alone, so that neither %2F nor
 * the store's _xF8FF_ can make a new part.
 */
#include "sim_path.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/str.h"
#include "sim_faults.h"
#include "sim_schedule.h"
#include "sim_store.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTS_MAX 16
#define PATH_BYTES 8192
#define FLAT "-FlatUrlSpace-"

static const char *const languages[] = {"en", "de", "hu", "ja"};

static const struct {
    const char *prop;
    const char *outlook_class;
    const char *names[4];
} folders[SIM_FOLDER_COUNT] = {
    {"calendar", "IPF.Appointment", {"Calendar", "Kalender", "Naptár", "予定表"}},
    {"inbox", "IPF.Note", {"Inbox", "Posteingang", "Beérkezett üzenetek", "受信トレイ"}},
    {"contacts", "IPF.Contact", {"Contacts", "Kontakte", "Névjegyalbum", "連絡先"}},
    {"deleteditems", "IPF.Note", {"Deleted Items", "Gelöschte Objekte", "Törölt elemek", "削除済みアイテム"}},
    {"drafts", "IPF.Note", {"Drafts", "Entwürfe", "Piszkozatok", "下書き"}},
    {"journal", "IPF.Journal", {"Journal", "Journal", "Napló", "履歴"}},
    {"notes", "IPF.StickyNote", {"Notes", "Notizen", "Feljegyzések", "メモ"}},
    {"outbox", "IPF.Note", {"Outbox", "Postausgang", "Postázandó üzenetek", "送信トレイ"}},
    {"sentitems", "IPF.Note", {"Sent Items", "Gesendete Objekte", "Elküldött elemek", "送信済みアイテム"}},
    {"tasks", "IPF.Task", {"Tasks", "Aufgaben", "Feladatok", "仕事"}},
};

const char *sim_folder_name(const struct sim_mailbox *m, int folder)
{
    if (folder == SIM_FOLDER_CALENDAR)
        return m->calendar;
    for (int i = 1; i < 4; i++)
        if (strcmp(m->language, languages[i]) == 0)
            return folders[folder].names[i];
    return folders[folder].names[0];
}

const char *sim_folder_class(int folder)
{
    return folders[folder].outlook_class;
}

const char *sim_folder_prop(int folder)
{
    return folders[folder].prop;
}

bool sim_folder_by_prop(const char *prop, int *ret)
{
    for (int i = 0; i < SIM_FOLDER_COUNT; i++) {
        if (strcmp(folders[i].prop, prop) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

static bool hex4(const char *p, unsigned *ret)
{
    char digits[5];
    for (int i = 0; i < 4; i++) {
        if (!isxdigit((unsigned char)p[i]))
            return false;
        digits[i] = p[i];
    }
    digits[4] = '\0';
    *ret = (unsigned)strtoul(digits, NULL, 16);
    return true;
}

static size_t put_utf8(char *out, unsigned c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    out[0] = (char)(0xe0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3f));
    out[2] = (char)(0x80 | (c & 0x3f));
    return 3;
}

char *sim_path_unescape(char *text)
{
    char *out = text;
    for (const char *p = text; *p != '\0';) {
        unsigned c;
        if (p[0] == '_' && p[1] == 'x' && hex4(p + 2, &c) && p[6] == '_' && c != 0) {
            out += put_utf8(out, c == 0xf8ff ? '/' : c == 0xf8fe ? '\\' : c);
            p += 7;
        } else {
            *out++ = *p++;
        }
    }
    *out = '\0';
    return text;
}

void sim_path_escape(struct buf *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '/')
            buf_adds(out, "_xF8FF_");
        else if (*p == '\\')
            buf_adds(out, "_xF8FE_");
        else if (*p == '?' || *p == '~')
            buf_addf(out, "_x%04X_", (unsigned)*p);
        else
            str_percent_encode(out, p, 1, "{}@:!$'()*,;=");
    }
}

/* May a client write this part so? The store's four characters exist in a URL only in their own escapes. */
static bool well_escaped(const struct sim_path_in *in, const char *part, size_t index)
{
    if (strchr(part, '/') != NULL)
        return false;
    if (!sim_fault_on(in->faults, NULL, SIM_F_STRICT_ESCAPES))
        return true;
    if (index == 1 && part[0] == '~') /* /exchange/~anna/ is a form of its own */
        part++;
    return strpbrk(part, "\\?~") == NULL;
}

struct parts {
    char *part[PARTS_MAX];
    size_t count;
};

static enum sim_path_result cut(const struct sim_path_in *in, const char *raw, struct parts *ret)
{
    ret->count = 0;
    while (*raw != '\0') {
        raw += strspn(raw, "/");
        size_t len = strcspn(raw, "/");
        if (len == 0)
            break;
        struct buf b;
        buf_init(&b, PATH_BYTES);
        bool ok = ret->count < PARTS_MAX && str_percent_decode(&b, raw, len) && str_is_utf8(b.data, b.len);
        char *part = ok ? arena_strndup(in->arena, b.data, b.len) : NULL;
        buf_free(&b);
        if (part == NULL)
            return SIM_PATH_BAD;
        if (!well_escaped(in, part, ret->count))
            return SIM_PATH_NO_ITEM;
        ret->part[ret->count++] = sim_path_unescape(part);
        raw += len;
    }
    return SIM_PATH_FOUND;
}

static struct sim_mailbox *find_mailbox(const struct sim_path_in *in, char *name)
{
    struct sim_mailbox *m = sim_store_mailbox(in->store, name);
    if (m == NULL && name[0] == '~')
        m = sim_store_mailbox(in->store, name + 1);
    if (m != NULL && sim_fault_is(in->faults, m, SIM_F_NAMES, strchr(name, '@') != NULL ? "alias" : "address"))
        return NULL;
    return m;
}

static bool filtered(const struct sim_path_in *in, const struct sim_mailbox *m, const char *raw)
{
    if (sim_fault_on(in->faults, m, SIM_F_PLUS_FILTER) && (strchr(raw, '+') != NULL || strcasestr(raw, "%2b") != NULL))
        return true;
    return sim_fault_on(in->faults, m, SIM_F_ODD_CHARS) && strpbrk(m->address, "~#%+&|*/") != NULL;
}

static enum sim_path_result find_item(const char *name, struct sim_node *ret)
{
    struct sim_item *item = sim_mailbox_item(ret->mailbox, name);
    if (item == NULL || ret->folder != SIM_FOLDER_CALENDAR)
        return SIM_PATH_NO_ITEM;
    ret->place = SIM_AT_ITEM;
    sim_recur_whole(item, &ret->instance);
    return SIM_PATH_FOUND;
}

/* .../-FlatUrlSpace-/<folder>/<digest>-<id in hex> */
static enum sim_path_result find_permanent(const struct parts *parts, struct sim_node *ret)
{
    ret->place = SIM_AT_FOLDER;
    ret->folder = SIM_FOLDER_CALENDAR;
    if (parts->count == 4)
        return SIM_PATH_FOUND;
    const char *dash = strrchr(parts->part[4], '-');
    unsigned long id = dash != NULL ? strtoul(dash + 1, NULL, 16) : 0;
    for (size_t i = 0; i < ret->mailbox->count; i++)
        if (ret->mailbox->items[i]->id == id)
            return find_item(ret->mailbox->items[i]->name, ret);
    return SIM_PATH_NO_ITEM;
}

static enum sim_path_result find_below(const struct sim_path_in *in, const struct parts *parts, struct sim_node *ret)
{
    const char *name = parts->part[2];
    if (parts->count == 3 && str_eq_nocase(name, "NON_IPM_SUBTREE")) {
        ret->place = SIM_AT_NON_IPM;
        return SIM_PATH_FOUND;
    }
    if (strcmp(name, FLAT) == 0 && parts->count >= 4)
        return find_permanent(parts, ret);
    for (ret->folder = 0; ret->folder < SIM_FOLDER_COUNT; ret->folder++)
        if (str_eq_nocase(sim_folder_name(ret->mailbox, ret->folder), name))
            break;
    if (ret->folder == SIM_FOLDER_COUNT || parts->count > 4)
        return SIM_PATH_NO_ITEM;
    if (ret->folder == SIM_FOLDER_CALENDAR && sim_fault_on(in->faults, ret->mailbox, SIM_F_CALENDAR_GONE))
        return SIM_PATH_NO_ITEM;
    ret->place = SIM_AT_FOLDER;
    return parts->count == 4 ? find_item(parts->part[3], ret) : SIM_PATH_FOUND;
}

enum sim_path_result sim_path_find(const struct sim_path_in *in, const char *raw, struct sim_node *ret)
{
    struct parts parts;
    memset(ret, 0, sizeof(*ret));
    enum sim_path_result cut_result = cut(in, raw, &parts);
    if (cut_result != SIM_PATH_FOUND)
        return cut_result;
    if (parts.count == 1 && str_eq_nocase(parts.part[0], "public")) {
        ret->place = SIM_AT_PUBLIC;
        return SIM_PATH_FOUND;
    }
    if (parts.count == 4 && str_eq_nocase(parts.part[0], "public") && str_eq_nocase(parts.part[1], "NON_IPM_SUBTREE") &&
        str_eq_nocase(parts.part[2], SIM_SCHEDULE_FOLDER) && str_eq_nocase(parts.part[3], SIM_SCHEDULE_GROUP)) {
        ret->place = SIM_AT_SCHEDULE;
        return SIM_PATH_FOUND;
    }
    if (parts.count == 0 || !str_eq_nocase(parts.part[0], "exchange"))
        return SIM_PATH_FOREIGN;
    if (parts.count == 1)
        return SIM_PATH_ROOT;
    ret->as = parts.part[1];
    ret->place = SIM_AT_MAILBOX;
    ret->mailbox = find_mailbox(in, parts.part[1]);
    if (ret->mailbox == NULL)
        return SIM_PATH_NO_MAILBOX;
    if (filtered(in, ret->mailbox, raw))
        return SIM_PATH_NO_ITEM;
    return parts.count == 2 ? SIM_PATH_FOUND : find_below(in, &parts, ret);
}

void sim_path_write(struct buf *out, const struct sim_node *node)
{
    if (node->place == SIM_AT_PUBLIC) {
        buf_adds(out, "/public/");
        return;
    }
    if (node->place == SIM_AT_SCHEDULE) {
        buf_adds(out, "/public/NON_IPM_SUBTREE/");
        sim_path_escape(out, SIM_SCHEDULE_FOLDER);
        buf_addc(out, '/');
        sim_path_escape(out, SIM_SCHEDULE_GROUP);
        buf_addc(out, '/');
        return;
    }
    buf_adds(out, "/exchange/");
    sim_path_escape(out, node->as);
    buf_addc(out, '/');
    if (node->place == SIM_AT_NON_IPM)
        buf_adds(out, "NON_IPM_SUBTREE/");
    if (node->place != SIM_AT_FOLDER && node->place != SIM_AT_ITEM)
        return;
    sim_path_escape(out, sim_folder_name(node->mailbox, node->folder));
    buf_addc(out, '/');
    if (node->place == SIM_AT_ITEM)
        sim_path_escape(out, node->instance.item->name);
}

void sim_path_write_permanent(struct buf *out, const struct sim_node *node)
{
    unsigned long long guid = (unsigned long long)node->mailbox->guid;
    buf_adds(out, "/exchange/");
    sim_path_escape(out, node->as);
    buf_addf(out, "/" FLAT "/%016llx%016llx-1/", guid, guid ^ 0x5a5a5a5a5a5a5a5aULL);
    if (node->place == SIM_AT_ITEM)
        buf_addf(out, "%016llx%016llx-%x", guid, guid ^ node->instance.item->id, node->instance.item->id);
}
