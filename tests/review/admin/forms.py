"""A page of the admin as a browser holds it: every field with its value, ready to be changed and sent."""

from html.parser import HTMLParser

from django.test import Client


class _Fields(HTMLParser):
    def __init__(self, form: str) -> None:
        super().__init__()
        self.form, self.inside = form, False
        self.data: dict[str, list[str]] = {}
        self.select, self.area = "", ""

    def handle_starttag(self, tag, attrs):
        here = dict(attrs)
        if tag == "form":
            self.inside = here.get("id") == self.form if self.form else here.get("method") == "post"
        if not self.inside or (not (name := here.get("name")) and tag != "option"):
            return
        if tag == "input" and here.get("type") in {"checkbox", "radio"}:
            if "checked" in here:
                self.data.setdefault(name, []).append(here.get("value", "on"))
        elif tag == "input" and here.get("type") != "submit":
            self.data.setdefault(name, []).append(here.get("value", ""))
        elif tag == "select":
            self.select = name
            self.data.setdefault(name, [])
        elif tag == "option" and "selected" in here and self.select:
            self.data[self.select].append(here.get("value", ""))
        elif tag == "textarea":
            self.area = name
            self.data[name] = [""]

    def handle_data(self, data):
        if self.area:
            self.data[self.area][0] += data

    def handle_endtag(self, tag):
        if tag == "textarea" and self.area:
            # Browsers drop the first line end and send the long kind.
            self.data[self.area][0] = self.data[self.area][0].removeprefix("\n").replace("\n", "\r\n")
            self.area = ""
        if tag == "select":
            self.select = ""
        if tag == "form":
            self.inside = False


def opened(client: Client, page: str, form: str = "") -> dict[str, list[str]]:
    """What the form of a page would send, unchanged; templates of empty inline rows left out."""
    answer = client.get(page)
    assert answer.status_code == 200, answer.status_code
    reader = _Fields(form)
    reader.feed(answer.content.decode())
    return {
        name: values for name, values in reader.data.items() if "__prefix__" not in name and name != "_selected_action"
    }
