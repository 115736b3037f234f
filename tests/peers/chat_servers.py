"""Chat servers as their documentation describes them, as far as a person's status goes: Mattermost, Rocket.Chat, Zulip,
Slack, Matrix.

Not the products: those cannot be had here. Each knows a few people, refuses a wrong token in its own way, and shows in
`status` what a person's client would show. All are answers for a HookSink.
"""
import base64
import json
import urllib.parse


class Chat:
    """people: mail address -> id."""

    def __init__(self, people, token="t0ken"):
        self.people, self.token, self.writes = people, token, []
        self.status = {ident: self.nothing() for ident in people.values()}

    def __call__(self, handler, body):
        parts = urllib.parse.urlsplit(handler.path)
        query = {k: v[0] for k, v in urllib.parse.parse_qs(parts.query, keep_blank_values=True).items()}
        if not self.let_in(handler.headers):
            return self.refuse(parts.path)
        if parts.path == self.who[0] and handler.command == "GET":
            return 200, self.who[1]
        path = [urllib.parse.unquote(p) for p in parts.path.split("/") if p]
        return self.serve(handler.command, path, query, body)

    def let_in(self, headers):
        return headers.get("Authorization") == f"Bearer {self.token}"

    def refuse(self, _):
        return 401, {"error": "who are you"}

    def write(self, ident, value):
        self.writes.append((ident, value))
        self.status[ident] = value


class Mattermost(Chat):
    who = ("/api/v4/users/me", {"id": "gateway-id", "username": "gateway"})

    @staticmethod
    def nothing():
        return "online"

    def serve(self, method, path, _, body):
        if path[:4] == ["api", "v4", "users", "email"] and method == "GET":
            ident = self.people.get(path[4])
            return (200, {"id": ident, "email": path[4]}) if ident else (404,
                                                                         {"id": "store.sql_user.missing_account.const"})
        if path[:3] == ["api", "v4", "users"] and path[4:] == ["status"] and path[3] in self.status:
            if method == "PUT":
                value = json.loads(body)
                if value["user_id"] != path[3] or value["status"] not in ("online", "away", "dnd", "offline"):
                    return 400, {"id": "api.context.invalid_body_param.app_error"}
                if value["status"] == "dnd" and not value["dnd_end_time"] > 0:
                    return 400, {"id": "api.context.invalid_body_param.app_error"}
                self.write(path[3], value["status"])
            return 200, {"user_id": path[3], "status": self.status[path[3]], "manual": True}
        return 404, {"id": "api.context.404.app_error"}


class RocketChat(Chat):
    who = ("/api/v1/me", {"_id": "gateway-id", "username": "gateway", "success": True})

    @staticmethod
    def nothing():
        return ("online", "")

    def let_in(self, headers):
        return headers.get("X-Auth-Token") == self.token and headers.get("X-User-Id") == "gateway-id"

    def serve(self, method, path, query, body):
        if path == ["api", "v1", "users.getStatus"] and method == "GET" and query.get("username") in self.status:
            status, message = self.status[query["username"]]
            return 200, {"message": message, "connectionStatus": "online", "status": status, "success": True}
        if path == ["api", "v1", "users.setStatus"] and method == "POST":
            value = json.loads(body)
            if value["username"] in self.status and value["status"] in ("online", "away", "busy", "offline"):
                self.write(value["username"], (value["status"], value["message"]))
                return 200, {"success": True}
        return 400, {"success": False, "error": "Match error"}


class Zulip(Chat):
    who = ("/api/v1/users/me", {"result": "success", "user_id": 7, "is_bot": True})

    @staticmethod
    def nothing():
        return ("", "")

    def let_in(self, headers):
        return headers.get("Authorization") == "Basic " + base64.b64encode(self.token.encode()).decode()

    def serve(self, method, path, _, body):
        if path[:3] == ["api", "v1", "users"] and len(path) == 4 and method == "GET":
            ident = self.people.get(path[3])
            return (200, {"result": "success", "user": {"user_id": ident}}) if ident else (400, {"result": "error",
                                                                                                 "msg": "No such user"})
        if path[:3] == ["api", "v1", "users"] and path[4:] == ["status"] and int(path[3]) in self.status:
            ident = int(path[3])
            if method == "POST":
                value = {k: v[0] for k, v in urllib.parse.parse_qs(body.decode(), keep_blank_values=True).items()}
                if len(value["status_text"]) > 60:
                    return 400, {"result": "error", "msg": "status_text is too long (limit: 60 characters)"}
                self.write(ident, (value["status_text"], value["emoji_name"]))
                return 200, {"result": "success"}
            text, emoji = self.status[ident]
            return 200, {"result": "success", "status": {**({"status_text": text} if text else {}),
                                                         **({"emoji_name": emoji} if emoji else {})}}
        return 404, {"result": "error"}


class Slack(Chat):
    who = ("/api/auth.test", {"ok": True, "user_id": "U0", "team_id": "T0"})

    @staticmethod
    def nothing():
        return ("", "", 0)

    def refuse(self, path):
        """In a way of its own."""
        return 200, {"ok": False, "error": "invalid_auth"}

    def serve(self, method, path, query, body):
        if path == ["api", "users.lookupByEmail"] and method == "GET":
            ident = self.people.get(query.get("email"))
            return 200, ({"ok": True, "user": {"id": ident}} if ident else {"ok": False, "error": "users_not_found"})
        if path == ["api", "users.profile.get"] and query.get("user") in self.status:
            text, emoji, expiration = self.status[query["user"]]
            return 200, {"ok": True,
                         "profile": {"status_text": text, "status_emoji": emoji, "status_expiration": expiration}}
        if path == ["api", "users.profile.set"] and method == "POST":
            value = json.loads(body)
            if value["user"] in self.status:
                profile = value["profile"]
                self.write(value["user"],
                           (profile["status_text"], profile["status_emoji"], profile["status_expiration"]))
                return 200, {"ok": True}
        return 200, {"ok": False, "error": "user_not_found"}


class Matrix(Chat):
    who = ("/_matrix/client/v3/account/whoami", {"user_id": "@gateway:im.example"})

    @staticmethod
    def nothing():
        return ("online", "")

    def serve(self, method, path, query, body):
        if path[:4] != ["_matrix", "client", "v3", "presence"] or path[5:] != ["status"]:
            return 404, {"errcode": "M_UNRECOGNIZED"}
        ident = path[4]
        if query.get("user_id") != ident or ident not in self.status:
            return 403, {"errcode": "M_FORBIDDEN"}
        if method == "PUT":
            value = json.loads(body)
            if value["presence"] not in ("online", "unavailable", "offline"):
                return 400, {"errcode": "M_BAD_JSON"}
            self.write(ident, (value["presence"], value["status_msg"]))
            return 200, {}
        presence, message = self.status[ident]
        return 200, {"presence": presence, **({"status_msg": message} if message else {})}
