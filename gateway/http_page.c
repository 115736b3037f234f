/*
 * http_page: the page at `/`: who is what now, changing as it changes. Built into the program, no request elsewhere,
 * one small script that reads the event stream; without scripts it says where the data is. Text from outside enters as
 * text nodes only, never as markup.
 */
#include <string.h>

#include "base/httpd.h"
#include "http_face.h"

static const char page[] =
    "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>freebusyd</title>\n"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
    "<style>\n"
    ":root{color-scheme:light dark;--line:#8884}body{font:16px/1.5 system-ui,sans-serif;margin:2rem "
    "auto;max-width:52rem;padding:0 1rem}\n"
    "h1{font-size:1.3rem}table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.35rem .6rem;"
    "border-bottom:1px solid var(--line)}\n"
    ".s{display:inline-block;min-width:6.5em;padding:0 .5em;border-radius:.3em;border:1px "
    "solid;border-left-width:.6em}\n"
    ".free{border-color:#009e73}.elsewhere{border-color:#56b4e9}.tentative{border-color:#e69f00}.busy{border-color:#"
    "d55e00}"
    ".oof{border-color:#cc79a7}.unknown{border-color:#888;border-style:dashed}\n"
    "</style></head><body>\n<h1>Who is free now</h1>\n<p id=\"link\" role=\"status\">connecting…</p>\n"
    "<noscript><p>This table needs a script. The same data: <a href=\"/v1/status\">status</a>, <a "
    "href=\"/v1/servers\">servers</a>,"
    " <code>/v1/presence/ADDRESS</code>, <code>/v1/events</code>.</p></noscript>\n"
    "<table><thead><tr><th scope=\"col\">Person</th><th scope=\"col\">State</th><th scope=\"col\">Until</th>"
    "<th scope=\"col\">Next</th></tr></thead><tbody id=\"people\"></tbody></table>\n"
    "<script src=\"/page.js\"></script></body></html>\n";

static const char script[] =
    "'use strict';\n"
    "const rows = new Map(), body = document.getElementById('people'), link = document.getElementById('link');\n"
    "const clock = t => t ? new Date(t).toLocaleString([], {weekday: 'short', hour: '2-digit', minute: '2-digit'}) : "
    "'';\n"
    "function show(p) {\n"
    "  let row = rows.get(p.address);\n"
    "  if (!row) {\n"
    "    if (rows.size >= 500) return;\n"
    "    row = body.insertRow();\n"
    "    for (let i = 0; i < 4; i++) row.insertCell();\n"
    "    rows.set(p.address, row);\n"
    "    row.cells[0].textContent = p.address;\n"
    "  }\n"
    "  const state = document.createElement('span');\n"
    "  state.className = 's ' + p.state;\n"
    "  state.textContent = p.state;\n"
    "  row.cells[1].replaceChildren(state);\n"
    "  row.cells[2].textContent = p.state === 'unknown' ? (p.reason || '') : clock(p.until);\n"
    "  row.cells[3].textContent = p.next ? p.next.state + ' ' + clock(p.next.start) : '';\n"
    "}\n"
    "const events = new EventSource('/v1/events');\n"
    "events.addEventListener('presence', e => show(JSON.parse(e.data)));\n"
    "events.onopen = () => { link.textContent = 'live'; };\n"
    "events.onerror = () => { link.textContent = 'connection lost, trying again…'; };\n";

#define POLICY                                                                                                         \
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self';"   \
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

void gw_http_get_page(struct gw_face *face, struct httpd_req *req, const char *rest)
{
    (void)face, (void)rest;
    static const char *const html[] = {"Content-Type: text/html; charset=utf-8", POLICY,
                                       "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer", NULL};
    static const char *const js[] = {"Content-Type: text/javascript; charset=utf-8", "X-Content-Type-Options: nosniff",
                                     NULL};
    if (strcmp(httpd_path(req), "/page.js") == 0)
        httpd_reply(req, 200, js, script, sizeof(script) - 1);
    else
        httpd_reply(req, 200, html, page, sizeof(page) - 1);
}
