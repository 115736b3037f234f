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

/* PowerShell takes the typographic marks U+2018 to U+201B for the plain one, and two of any of them for one in a text.
 */
static size_t quote_len(const char *at)
{
    if (*at == '\'')
        return 1;
    return str_starts(at, "\xe2\x80") && (unsigned char)at[2] >= 0x98 && (unsigned char)at[2] <= 0x9b ? 3 : 0;
}

static void add(struct buf *out, const char *name, bool quoted)
{
    while (*name) {
        size_t quote = quote_len(name), len = quote ? quote : 1;
        if (quoted && quote)
            buf_add(out, name, quote);
        buf_add(out, name, len);
        name += len;
    }
}
