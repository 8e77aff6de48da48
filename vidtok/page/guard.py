"""Who may come in: the right host, no other site's page, and beyond this machine whoever has the token."""

import hmac
import ipaddress
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOKEN = "vidtok_token"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Browsers hold the page to this: nothing is fetched from anywhere else, and no other page shows it."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


def is_loopback(host: str) -> bool:
    """Whether what listens there can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_name(value: str) -> str:
    """A Host header without its port; empty for what is none."""
    try:
        return urlsplit(f"//{value}").hostname or ""
    except ValueError:
        return ""


@dataclass(kw_only=True)
class Guard:
    """Before the app. `token`: None where the server is bound to this machine.

    There, only its own names are taken as Host, so that no name of another site can be pointed at it (DNS rebinding);
    everywhere, requests that a page of another site makes are refused, by what browsers say of them.
    """

    app: ASGIApp
    token: str | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-store")
            await send(message)

        refused = self.refused(scope)
        await (refused or self.app)(scope, receive, send_with_headers)

    def refused(self, scope: Scope) -> Response | None:
        """The answer to a request that must not come in."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.token is None and not is_loopback(host_name(host)):
            return _no(421, "this server answers to localhost alone: open it by the address that it printed")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return _no(403, "a page of another site may not ask this server for anything")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            is_link = headers.get("sec-fetch-mode") == "navigate" and scope["method"] == "GET" and scope["path"] == "/"
            if not is_link:
                return _no(403, "a page of another site may not ask this server for anything")
        return None if self.token is None else self._without_token(scope, headers)

    def _without_token(self, scope: Scope, headers: Headers) -> Response | None:
        assert self.token is not None
        asked = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if _same(asked, self.token) and scope["method"] == "GET" and scope["path"] == "/":
            answer = RedirectResponse("/", status_code=303)  # the address bar and the history are not for tokens
            answer.set_cookie(TOKEN, self.token, httponly=True, samesite="lax", path="/")
            return answer
        if any(_same(given, self.token) for given in (asked, bearer, cookie(headers, TOKEN))):
            return None
        return _no(403, "this needs the token: open the whole address that the server printed, with ?token=…")


def cookie(headers: Headers, name: str) -> str:
    """The value of a cookie; empty where there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), token.encode())


def _no(status: int, words: str) -> Response:
    return JSONResponse({"error": words}, status_code=status, headers={"connection": "close"})
