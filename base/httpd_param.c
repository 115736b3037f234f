/*
 * httpd_param: query parameters. The query is split and decoded once, at the first question; a stranger may send
 * thousands of pairs, so asking for the n-th value after the (n-1)-th goes on where that one was found instead of
 * starting over.
 */
#include "base/mem.h"
#include "base/str.h"
#include "httpd_private.h"

#include <stdlib.h>
#include <string.h>

static void httpd_param_parse(struct httpd_req *req);
static void httpd_param_split(struct httpd_req *req, struct httpd_param *p, const char *pair, size_t len);
static const char *httpd_param_decode(struct httpd_req *req, const char *text, size_t len);

const char *httpd_param(struct httpd_req *req, const char *name, unsigned n, bool *ret_bad)
{
    if (req->params == NULL)
        httpd_param_parse(req);
    size_t i = 0;
    unsigned seen = 0;
    if (n > 0 && n == req->param_n + 1 && req->param_hint < req->n_params &&
        strcmp(req->params[req->param_hint].name, name) == 0) {
        i = req->param_hint + 1;
        seen = n;
    }
    for (; i < req->n_params; i++) {
        struct httpd_param *p = &req->params[i];
        if (strcmp(p->name, name) != 0 || seen++ < n)
            continue;
        req->param_hint = i;
        req->param_n = n;
        if (p->bad && ret_bad != NULL)
            *ret_bad = true;
        return p->bad ? NULL : p->value;
    }
    return NULL;
}

void httpd_param_free(struct httpd_req *req)
{
    if (req->params != NULL)
        buf_free(&req->param_text);
    free(req->params);
    req->params = NULL;
}

static void httpd_param_parse(struct httpd_req *req)
{
    size_t len = strlen(req->query);
    size_t room = 1;
    for (const char *p = req->query; *p != '\0'; p++)
        room += *p == '&';
    req->params = mem_calloc(room, sizeof(*req->params));
    /* Decoded text is never longer, plus two NULs a pair; with all of it reserved, no pointer into it moves. */
    buf_init(&req->param_text, len + 2 * room);
    buf_room(&req->param_text, len + 2 * room);
    for (const char *pair = req->query; pair != NULL;) {
        size_t pair_len;
        const char *next = str_split(pair, '&', &pair_len);
        if (pair_len > 0)
            httpd_param_split(req, &req->params[req->n_params++], pair, pair_len);
        pair = next;
    }
}

static void httpd_param_split(struct httpd_req *req, struct httpd_param *p, const char *pair, size_t len)
{
    const char *equals = memchr(pair, '=', len);
    size_t name_len = equals != NULL ? (size_t)(equals - pair) : len;
    p->name = httpd_param_decode(req, pair, name_len);
    p->value = equals != NULL ? httpd_param_decode(req, equals + 1, len - name_len - 1) : "";
    p->bad = p->value == NULL;
    if (p->name == NULL)
        p->name = ""; /* nobody asks for it */
}

static const char *httpd_param_decode(struct httpd_req *req, const char *text, size_t len)
{
    struct buf *b = &req->param_text;
    size_t start = b->len;
    if (!str_percent_decode(b, text, len)) {
        b->len = start;
        return NULL;
    }
    buf_addc(b, '\0');
    return b->data + start;
}
