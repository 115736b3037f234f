"""The page without a browser: what it is made of, who may read it, what must be refused, and that it stays small
however many people there are."""
import html.parser
import json
import socket
import urllib.parse

import company
import harness
import page_world
from harness import check, check_equal, wait_until
from page_world import ADMIN, ANNA, BOB, GROUP, HOSTILE, LONG, OTHER, READER, status_as

TAGS = set("html head meta title link script body a header p img main div section h1 h2 h3 ol ul li b small code span "
           "bdi time dl dt dd svg rect line text table thead tbody tr th td form label input button kbd nav footer "
           "defs pattern path circle wbr".split())
CROWD = 20000


class Page(html.parser.HTMLParser):
    """What a browser would make of it: elements, attributes, the names in the rows."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.rows, self.names, self.links, self.inside = [], [], [], {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr" and "data-address" in dict(attrs):
            self.rows.append(dict(attrs)["data-address"])
        if tag == "a" and "href" in dict(attrs):
            self.links[dict(attrs).get("rel", dict(attrs)["href"])] = dict(attrs)["href"]
        if tag == "bdi":
            self.inside = ""

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if tag == "bdi":
            self.names.append(self.inside)
            self.inside = None

    def handle_data(self, data):
        if self.inside is not None:
            self.inside += data

    def check_harmless(self, what):
        for tag, attrs in self.tags:
            check(tag in TAGS, f"{what}: an element {tag}")
            bad = [a for a in attrs if a.startswith("on") or a in ("style", "srcdoc", "autofocus")]
            check(not bad, f"{what}: <{tag}> has {bad}")
            for key in ("href", "src", "action"):
                check(attrs.get(key, "/").startswith(("/", "#")), f"{what}: <{tag} {key}={attrs.get(key)}>")
        scripts = [attrs for tag, attrs in self.tags if tag == "script"]
        check_equal([s.get("src") for s in scripts], ["/page.js"], f"{what}: scripts")


def shown(name):
    """As the page spells marks that turn the direction of writing."""
    return "".join(f"U+{ord(c):04X}" if c in "\u202e\u2069\u200f" else c for c in name)


def names_and_headers(folder):
    """Hostile names are text; policy, ETag, HEAD, the files; readable without scripts."""
    _, daemon, _ = page_world.start(folder, 5)
    wait_until(lambda: json.loads(status_as(daemon, "/v1/presence/" + ANNA)[1])["state"] == "busy", "Anna to be busy")
    wait_until(lambda: (c := daemon.ctl_json("status")["causes"]) and c[0]["persons"] == len(HOSTILE),
               "everybody whom the mail server does not know to have been asked about")
    wait_until(lambda: all(w in status_as(daemon, "/")[1] for w in ("mailbox-not-found", "Exchange 2003", "basic")),
               "the page to say so, which it is made for every two seconds")
    status, text, headers = status_as(daemon, "/")
    check_equal((status, headers["Content-Type"]), (200, "text/html; charset=utf-8"), "the page")
    policy = headers["Content-Security-Policy"]
    check("default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
          and "*" not in policy and "data:" not in policy, f"the policy: {policy}")
    page = Page(text)
    page.check_harmless("the page")
    check_equal(page.rows[:2], [ANNA, BOB], "the first people")
    for name in HOSTILE:
        check(shown(name) in page.names, f"{name!r} is a row: {page.names}")
        one, _, _ = (person := status_as(daemon, "/person/" + urllib.parse.quote(name, safe="")))
        check_equal(one, 200, f"the page of {name!r}")
        sheet = Page(person[1])
        sheet.check_harmless(f"the page of {name!r}")
        check_equal(dict(sheet.tags)["body"]["data-address"], name, "the address for the script")
        check(shown(name) in sheet.names, f"{name!r} on a page of its own: {sheet.names}")
    check(GROUP in page.names, f"the group: {page.names}")
    by_group = Page(status_as(daemon, "/?group=" + urllib.parse.quote(GROUP))[1])
    check_equal(len(by_group.rows), len(HOSTILE), "the group's rows, by its link")
    by_group.check_harmless("a group")
    check_equal(len(LONG), 300, "the long name")
    for word in ("mailbox-not-found", "What to do", "Evidence", "Exchange 2003", "basic", "Freshness", "Outlets",
                 "next mass change", "until", "today", "tomorrow"):
        check(word in text, f"the page says {word!r}")
    check("svc-secret" not in text, "no password on the page")

    def unchanged():  # a minute may end and a change may come between two requests
        etag = status_as(daemon, "/page.css")[2]["ETag"]
        asset = status_as(daemon, "/page.css", If_None_Match=etag)
        bobs = "/?q=" + BOB + "&part=list"
        tag = status_as(daemon, bobs)[2]["ETag"]
        return asset[0] == 304 and asset[1] == "" and status_as(daemon, bobs, If_None_Match=tag)[0] == 304
    wait_until(unchanged, "answers that have not changed to be 304")
    check_equal(status_as(daemon, "/", If_None_Match='"0123"')[0], 200, "another ETag")
    status, text, headers = status_as(daemon, "/", method="HEAD")
    check(status == 200 and text == "" and int(headers["Content-Length"]) > 5000, f"HEAD: {status} {headers}")
    for path, kind in (("/page.js", "text/javascript"), ("/page.css", "text/css"), ("/icon.svg", "image/svg+xml")):
        status, text, headers = status_as(daemon, path)
        check(status == 200 and headers["Content-Type"].startswith(kind) and headers["ETag"] and text, path)
        check("http://" not in text.replace("http://www.w3.org/2000/svg", "") and "https://" not in text,
              f"{path} asks nobody else")
    for part in ("now", "list", "rows&address=" + ANNA):
        status, text, _ = status_as(daemon, "/?part=" + part)
        check(status == 200 and "<html" not in text, f"the part {part}")
    check_equal(Page(status_as(daemon, f"/?part=rows&address={ANNA}&address=no@example.test")[1]).rows, [ANNA], "rows")
    daemon.stop()


def who_may(folder):
    """Nobody, somebody, a reader, an administrator; and what is done only from our own page."""
    _, daemon, _ = page_world.start(folder, 2)
    for path in ("/", "/v1/people", "/person/" + ANNA, "/?part=now"):
        check_equal(daemon.get(path)[0], 401, f"{path} for nobody")
        check_equal(status_as(daemon, path, OTHER)[0], 403, f"{path} for somebody")
        check_equal(status_as(daemon, path, READER)[0], 200, f"{path} for a reader")
    check('data-role="reader"' in status_as(daemon, "/person/" + ANNA)[1], "a reader's role")
    check('data-role="admin"' in status_as(daemon, "/person/" + ANNA, ADMIN)[1], "an administrator's role")
    ours = {"X_Freebusyd": "act"}

    def post(path, name, **headers):
        status, text, _ = status_as(daemon, path, name, "POST", **headers)
        return status, json.loads(text).get("code")
    refresh = "/v1/refresh/" + ANNA
    check_equal(post(refresh, READER, **ours), (403, "read-only"), "a reader's refresh")
    check_equal(post("/v1/why/" + ANNA, READER, **ours), (403, "read-only"), "a reader's question")
    for wrong in ({}, {"X_Freebusyd": "1"}, {**ours, "Sec_Fetch_Site": "cross-site"},
                  {**ours, "Origin": "https://evil.example"}, {**ours, "Origin": "null"}):
        check_equal(post(refresh, ADMIN, **wrong), (403, "foreign-page"), f"a refresh with {wrong}")
    check_equal(post("/v1/refresh/no@example.test", ADMIN, **ours), (404, "no-such-person"), "a refresh of nobody")
    check_equal(status_as(daemon, refresh, ADMIN)[0], 405, "a refresh by GET")
    origin = {**ours, "Origin": f"http://127.0.0.1:{daemon.port}", "Sec_Fetch_Site": "same-origin"}
    status, text, _ = status_as(daemon, refresh, ADMIN, "POST", **origin)
    check(status == 200 and json.loads(text)["ok"], f"an administrator's refresh: {status} {text}")
    status, text, _ = status_as(daemon, "/v1/why/" + ANNA, ADMIN, "POST", **origin)
    check(status == 200 and json.loads(text)["covering"], f"an administrator's question: {status} {text}")
    status, text, headers = status_as(daemon, "/person/nobody@example.test")
    check(status == 404 and headers["Content-Type"].startswith("text/html"), "a page of nobody")
    daemon.stop()


def disconnects(folder):
    """Browsers that go away in the middle: of the request, of the search, of the answer, of the events."""
    _, daemon, _ = page_world.start(folder, 50)
    head = f"Host: x\r\nX-Remote-User: {READER}\r\n\r\n"
    for path in ("/", "/?part=now", "/v1/people?limit=200", "/person/" + ANNA, "/v1/events"):
        for take in (0, 1, 300):
            for _ in range(5):
                with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as connection:
                    connection.sendall(f"GET {path} HTTP/1.1\r\n{head}".encode())
                    if take:
                        connection.recv(take)
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=60) as connection:
        connection.sendall(b"GET /?q=per")
    check_equal(status_as(daemon, "/")[0], 200, "the page after all that")
    wait_until(lambda: daemon.ctl_json("subscribers")["subscribers"] == 0, "the streams of those who went to end")
    daemon.stop()


def everybody(folder):
    """A page asked for a million people is as small as any; page by page everybody comes, once."""
    with open(folder + "/users.csv", "w", encoding="utf-8") as file:
        file.write("address,group\n")
        file.writelines(f"user{i:05}@crowd.test,{'ends-in-seven' if i % 10 == 7 else 'rest'}\n" for i in range(CROWD))
    harness.secret_file(folder, "password", "svc-secret")
    daemon = harness.Daemon(folder, company.yaml("http://127.0.0.1:1/exchange/", interval="60s",
                                                 more_users=["{ file: users.csv, server: hq }"]))
    for path in ("/?limit=1000000", "/v1/people?limit=1000000", "/?part=list&limit=1000000"):
        status, text, _ = daemon.get(path)
        rows = len(json.loads(text)["people"]) if path.startswith("/v1") else len(Page(text).rows)
        check(status == 200 and rows == 200 and len(text) < 400000, f"{path}: {status}, {rows} rows, {len(text)} bytes")
    seen, after = [], ""
    while after is not None:
        got = json.loads(daemon.get(f"/v1/people?limit=200&after={after}")[1])
        seen += [p["address"] for p in got["people"]]
        after = got["next"]
    check_equal((len(seen), len(set(seen))), (CROWD, CROWD), "everybody, page by page")
    text = daemon.get("/v1/people?q=USER1999&limit=200")[1]
    check_equal([p["address"] for p in json.loads(text)["people"]], [f"user1999{i}@crowd.test" for i in range(10)],
                "a search without case")
    first = Page(daemon.get("/?group=ends-in-seven&state=unknown")[1])
    check_equal(len(first.rows), 50, "a page of a group")
    second = Page(daemon.get(first.links["next"].split("#")[0])[1])
    check(len(second.rows) == 50 and not set(second.rows) & set(first.rows), "the page behind the link")
    check(all(a[8:9] == "7" for a in first.rows + second.rows), "a group's people only")
    check_equal(json.loads(daemon.get("/v1/people?q=nobody-like-that")[1]), {"people": [], "limit": 50, "next": None},
                "a search for nobody")
    for bad in ("state=bored", "after=x", "after=4294967295", "limit=0", "limit=x", "from=1999-01-01T00:00:00Z",
                "q=%zz", "q=" + "a" * 1001):
        check_equal(daemon.get("/v1/people?" + bad)[0], 400, bad[:40])
    check_equal(daemon.get("/?part=other")[0], 400, "a part that is none")
    daemon.stop()


if __name__ == "__main__":
    harness.run(names_and_headers, who_may, disconnects, everybody)
