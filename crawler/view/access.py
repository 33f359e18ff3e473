"""Who may see the dashboard and stop the crawl: this machine's own user, or whoever has the token.

Loopback alone is no protection: any page in a browser here can send requests to it, and a name of its own can be made
to lead to it. So a request has to name this machine (against DNS rebinding), and may not come from another page
(against forged requests). With a token it is the token that decides, and it may come from anywhere.
"""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from crawler.log.crawl_log import tell_fault
from crawler.settings.groups import is_loopback

# These values of Sec-Fetch-Site come from the dashboard itself, and from a user who typed the address.
_OWN_PAGE = ("same-origin", "none")
_HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class AccessControl:
    """Judges every request of the dashboard.

    Args:
        token: What each has to bring; empty for none.
        port: Where the dashboard listens, because the cookies of one machine are shared by all its ports.
    """

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self._cookie = f"crawler_{port}"
        # The cookie goes to every port of the machine, so it holds something that is worth nothing elsewhere.
        self._session = secrets.token_urlsafe(32)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer what may not be seen with a sentence, all else by its handler."""
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        try:
            return await handler(request)
        except web.HTTPException as error:
            return plain(error.status, error.reason, {k: v for k, v in error.headers.items() if k == "Allow"})
        except Exception as error:  # A fault here is no reason to end a crawl.
            tell_fault("the dashboard failed", error)
            return plain(500, "The dashboard failed; crawl.log has the details.")

    def refusal(self, request: web.Request) -> web.Response | None:
        """What a request is refused with, None if it is not."""
        if not self._token and not is_loopback(_host_of(request.headers.get("Host", ""))):
            return plain(403, "Without a token the dashboard answers to 127.0.0.1, ::1 and localhost only.")
        if _is_foreign(request):
            return plain(403, "The dashboard does not answer to other pages.")
        if self._token and not self._has_token(request):
            sentence = "The dashboard needs its token: open it with ?token=… or send Authorization: Bearer …"
            return plain(401, sentence, {"WWW-Authenticate": "Bearer"})
        return None

    def admit(self, response: web.StreamResponse) -> None:
        """Let the browser that gets this response come again without the token."""
        if self._token:
            response.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict", path="/")

    def _has_token(self, request: web.Request) -> bool:
        scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
        given = bearer.strip() if scheme.lower() == "bearer" else request.query.get("token", "")
        return _is_same(given, self._token) or _is_same(request.cookies.get(self._cookie, ""), self._session)


def plain(status: int, sentence: str, headers: dict[str, str] | None = None) -> web.Response:
    """A sentence as the whole answer."""
    return web.Response(status=status, text=f"{sentence}\n", headers={**_HEADERS, **(headers or {})})


def protect(response: web.StreamResponse) -> None:
    """Keep a response out of caches, frames and other pages."""
    response.headers.update(_HEADERS)


def _host_of(authority: str) -> str:
    """The host of a Host field, without its port and brackets; empty if it is none."""
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return ""


def _is_foreign(request: web.Request) -> bool:
    """Whether a page other than the dashboard has sent a request; links may lead here, though."""
    site = request.headers.get("Sec-Fetch-Site", "none")
    is_link = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in _OWN_PAGE and not is_link:
        return True
    origin = request.headers.get("Origin")
    return origin is not None and _authority_of(origin) != request.headers.get("Host", "").lower()


def _authority_of(origin: str) -> str | None:
    """The host and port of an Origin field; None for `null` and what is no origin."""
    scheme, separator, authority = origin.lower().partition("://")
    return authority if separator and scheme in ("http", "https") else None


def _is_same(given: str, wanted: str) -> bool:
    """Compare secrets in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())
