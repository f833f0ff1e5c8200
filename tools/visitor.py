"""A visitor of a site that runs behind a proxy with TLS: sends the proxy's headers, keeps cookies, fills in forms."""

import http.client
import json
import re
from typing import Any
from urllib.parse import urlencode, urlsplit

Form = dict[str, str] | None
Headers = dict[str, str] | None


class Visitor:
    """Speaks to 127.0.0.1 as the proxy in front of ``host`` would."""

    def __init__(self, port: int, host: str) -> None:
        self.port, self.host = port, host
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, path: str, form: Form = None, headers: Headers = None) -> tuple[int, str, str]:
        """Send a request; returns status, the address it leads to, and the body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = {"Host": self.host, "X-Forwarded-Proto": "https", "Referer": f"https://{self.host}/", **(headers or {})}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = urlencode(form) if form is not None else None
        if body is not None:
            sent["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    self._keep(value)
            text = answer.read().decode("utf-8", "replace")
            return answer.status, answer.getheader("Location") or "", text
        finally:
            connection.close()

    def _keep(self, cookie: str) -> None:
        name, _, value = cookie.split(";", 1)[0].partition("=")
        if "secure" not in cookie.lower():
            raise SystemExit(f"the cookie {name} would be sent without TLS")
        self.cookies[name] = value

    def status(self, path: str) -> int:
        """The status of an address; 0 while nobody answers."""
        try:
            return self.ask("GET", path)[0]
        except OSError:
            return 0

    def text(self, path: str, headers: Headers = None) -> str:
        """The body of an address; raises ``SystemExit`` unless it is 200."""
        status, _, text = self.ask("GET", path, headers=headers)
        if status != 200:
            raise SystemExit(f"{path} answered {status}: {text[:300]}")
        return text

    def json(self, path: str) -> dict[str, Any]:
        """The object at an address."""
        return dict(json.loads(self.text(path)))

    def sign_in(self, link: str) -> None:
        """Open a link that signs in once."""
        parts = urlsplit(link)
        self.ask("GET", f"{parts.path}?{parts.query}")
        if "sessionid" not in self.cookies:
            raise SystemExit("the link did not sign anybody in")

    def ask_for_run(self, technique: str) -> str:
        """Press the button on the page of a technique; returns the address of the run."""
        page = self.text(f"/techniques/{technique}/")
        token = re.findall(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        form = {"size": "tiny", "csrfmiddlewaretoken": token[0] if token else ""}
        status, address, text = self.ask("POST", f"/techniques/{technique}/run/", form)
        if status != 302 or not address.startswith("/runs/"):
            raise SystemExit(f"asking for a run answered {status} {address}: {text[:500]}")
        return address

    def status_of_run(self, address: str) -> str:
        """The word for the status on the page of a run."""
        found = re.findall(r'class="verdict [^"]*">.*?</svg>([^<]+)<', self.text(address), re.DOTALL)
        return found[0].strip() if found else ""
