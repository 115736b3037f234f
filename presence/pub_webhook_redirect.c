/*
 * pub_webhook_redirect: where a hook's answer may lead us. The administrator chose the URL; whoever answers there chose
 * the next one. So it is followed only where method and body stay what they are (307, 308), never from TLS to clear
 * text, never with our token to another host, and to another host only when its address is not one of this machine or
 * this link, looked at when the name has been resolved.
 */
#include <stdlib.h>
#include <string.h>

#include "base/fetch.h"
#include "base/mem.h"
#include "base/str.h"
#include "pub_webhook.h"

enum { REDIRECTS_MAX = 3, LOCATION_MAX = 4000 };

static size_t origin_len(const char *url);

char *pres_hook_redirect(struct pub_hook_lane *l, const struct fetch_answer *answer, bool *ret_outside,
                         const char **ret_code, const char **ret_text)
{
    const char *location = fetch_header(answer->fetch, "Location", 0), *from = l->url.data;
    *ret_code = "webhook-redirect";
    if (answer->status != 307 && answer->status != 308)
        *ret_text = "the hook redirects in a way that does not keep the request; 307 and 308 do";
    else if (!location || !location[0] || strlen(location) > LOCATION_MAX || strpbrk(location, " \t#@"))
        *ret_text = "the hook redirects to nowhere";
    else if (++l->redirects > REDIRECTS_MAX)
        *ret_text = "the hook redirects again and again";
    else
        *ret_text = NULL;
    if (*ret_text)
        return NULL;
    size_t origin = origin_len(from);
    if (location[0] == '/' && location[1] != '/')
        return mem_printf("%.*s%s", (int)origin, from, location);
    bool same = origin_len(location) == origin && strncmp(location, from, origin) == 0;
    if (!str_starts(location, "https://") && (!str_starts(location, "http://") || str_starts(from, "https://")))
        *ret_text = "the hook redirects to what is no https address";
    else if (!same && l->hook->token)
        *ret_code = "redirect-foreign", *ret_text = "the hook redirects to another host, which must not have the token";
    if (*ret_text)
        return NULL;
    *ret_outside = *ret_outside || !same;
    return mem_strdup(location);
}

bool pres_hook_address_ok(void *hook, const char *address)
{
    struct pub_webhook *h = hook;
    if (h->allow_inner || !fetch_address_is_inner(address))
        return true;
    h->inner_refused = true;
    return false;
}

/* "https://host:port" */
static size_t origin_len(const char *url)
{
    const char *slashes = strstr(url, "//");
    size_t scheme = slashes ? (size_t)(slashes - url) + 2 : 0;
    return scheme + strcspn(url + scheme, "/?");
}
