from techniques.listings import lines, numbered


def test_every_line_is_there_and_escaped() -> None:
    code = 'def f(x):\n    """Doc <b>.\n\n    more\n    """\n    return x < 1  # <script>\n'
    made = lines(code)
    assert len(made) == 6
    assert "<script>" not in "".join(made)
    assert made[0].startswith("<b>def</b>")
    assert made[1].lstrip() == "<i>&quot;&quot;&quot;Doc &lt;b&gt;.</i>".replace("&quot;", '"')


def test_numbers_and_anchors() -> None:
    made = numbered("a = 1\nb = 2", first=12, anchor="method")
    assert '<span class="ln" id="method-12">12</span>a' in made
    assert '<span class="ln" id="method-13">13</span>b' in made
    assert "id=" not in numbered("a = 1")


def test_text_that_is_no_python_is_shown_too() -> None:
    assert len(lines("((( not python\n\x00 <x>")) == 2
