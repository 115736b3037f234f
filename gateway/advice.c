/* advice: see advice.h. Called by the check and by the reports, for each cause they show. */
#include "advice.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

enum { ADVICE_MAX = 8192 };

static void add(struct buf *out, const char *name, bool quoted);

char *gw_advice(const char *advice, const struct gw_advice_names *names)
{
    if (!names)
        return mem_strdup(advice);
    const struct {
        const char *mark, *name;
    } places[] = {
        {"{server}", names->server},
        {"{account}", names->account},
        {"{person}", names->person ? names->person : "MAILBOX"},
    };
    struct buf b;
    buf_init(&b, ADVICE_MAX);
    for (const char *at = advice; *at;) {
        size_t i = 0;
        while (i < 3 && !str_starts(at, places[i].mark))
            i++;
        if (i == 3) {
            buf_addc(&b, *at++);
            continue;
        }
        add(&b, places[i].name ? places[i].name : "?", at > advice && at[-1] == '\'');
        at += strlen(places[i].mark);
    }
    return buf_take(&b);
}

static void add(struct buf *out, const char *name, bool quoted)
{
    for (; *name; name++) {
        if (quoted && *name == '\'')
            buf_addc(out, '\'');
        buf_addc(out, *name);
    }
}
