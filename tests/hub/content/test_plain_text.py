"""The text made of a letter's HTML: of any letter in time that is in proportion to its length."""

import time

import pytest

from channels.base import Channel
from hub.content.call import Call
from hub.content.flat import Part
from hub.content.markup import Markup
from hub.content.model import Source, WrongValue
from hub.content.plaintext import PlainText, plain
from hub.content.render import Own, _length
from tests.hub.content.test_letters import ENGINE, READER

# Two fifths of what a letter may have: a second, on a machine with much to do. Some of them took an hour.
LONG = 200_000
SECONDS = 4

PIECES = [
    *("\n", " ", "\t\n ", "\xa0", "\n- ", "- \n", "\n1. ", "x\n", " \n" * 8 + "x"),
    *("<", "<a ", "<a", "<a/", "<a b=", "<a b='", "<a b='>' ", "<a b='<>' ", "<a b=\"'>", "a=b "),
    *("</", "</a", "</a b='>' ", "</>", "<!", "<!a", "<![", "<![if", "<![x]", "<![cdata[", "<!--"),
    *("<!-- --", "<?", "]]", "&", "& ", "&#", "&#;", "&#x", "&#9", "&a", "&amp;", "<b>", "<b>x"),
    *("<ul><li>", "<ol><li>x", "<blockquote><p>x", "<blockquote><br>", "<table></tr>", "<td>"),
    *("<abbr>x", "<abbr title=x>x", "<style>@import a;</style>", "<style>", "<script>", "<pre>\n"),
    *("<a href=x>y</a>", "<a href=x><h1>", "<textarea>", "<plaintext>"),
    # What is left out between them makes no long run of short ones.
    *("<a =", "<a =>", "<a =b='", "<a =b=c ", "<a =b='>"),
    *("\n" * 15 + tag for tag in ("</>", "</1>", "<ul>", "</ul>", "<?>", "<![if]>")),
    "<pre/>" + "\n" * 5000,
]


def took(html: str) -> float:
    began = time.process_time()
    plain(html)
    return time.process_time() - began


@pytest.mark.parametrize("piece", PIECES)
def test_whatever_is_repeated_is_read_in_no_time(piece: str) -> None:
    many = (piece * LONG)[:LONG]

    assert took(f"<p>Hello</p>{many}") < SECONDS
    assert took(f"<table><td><blockquote><ul><a {many[: LONG // 2]}'\"-->]]>;") < SECONDS


def test_rows_of_a_wide_table_are_not_underlined_for_each_column() -> None:
    assert len(plain("<td>" * 5_000 + "<table></tr>" * 2_000)) < 1_000_000


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>5 < 6 & 7 > 2, <3</p>", "5 < 6 & 7 > 2, <3"),
        ("one <a href='x' two", "one <a href='x' two"),
        ("<a title='a > b <c>' href='https://x.example/'>x</a>", '[x](<https://x.example/> "a > b <c>")'),
        ("<td width='5'' height=3>x", "x"),
        # Pasted out of a word processor, or put together by a program: a browser shows the text only.
        ("<a href='https://x.example/'\xa0title=y>x</a>", '[x](<https://x.example/> "y")'),
        ("<a =b href==https://x.example/ = 'c' title=\"d's\">x</a>", '[x](<https://x.example/> "d\'s")'),
        ("<p =a>b</p><style ==a>d</style>e<script =a />f", "b\n\nef"),
        ("a<!-- b --><!---- <p>c ---->d<![if !mso]>e<![endif]><!doctype html>f<?g?>h", "adefh"),
        ("<!--[if mso]><p>a</p><![endif]--><!--[if !mso]><!--><p>b</p><!--<![endif]-->", "b"),
        ("<style>p > a {}</style>a<script>if (a<b) '</p>'</script>b<style>c", "ab"),
        (f"a&#{'9' * 5000};b", f"a&#{'9' * 5000};b"),
        ("a&#;b&#38;c&#x26;d&#9", "a&#;b&c&d&#9"),
        ("a<![foo[b]>c", "ac"),
        ("a" + "\n" * 50 + "- b" + " " * 50 + "c", "a \\- b c"),
        ("<pre>a" + " " * 50 + "b</pre>c", "a" + " " * 50 + "b\n\nc"),
        ("<ul><li>a<ul><li>b</li></ul></li></ul>", "* a\n    * b"),
    ],
)  # fmt: skip
def test_what_is_no_markup_is_text(html: str, text: str) -> None:
    assert plain(html) == text


def test_lists_are_shown_to_some_depth_and_read_to_any() -> None:
    html = "<ul><li>in" * 200 + "</ul>" * 200 + "<ul><li>out</li></ul>"

    lines = plain(html).splitlines()

    assert sum("in" in line for line in lines) == 200
    assert lines[-1] == "  * out"
    assert max(map(len, lines)) < 50


def test_of_a_heap_of_tags_the_text_is_left() -> None:
    html = "<p>one <b>two</b>&amp;\n3</p><style>no</style><pre>4\n5</pre><!-- no -->"

    assert plain(html + "<b></b>" * 50_000) == "one two& 3\n4\n5"


def test_letters_with_markup_that_was_not_ended_are_read_one_by_one() -> None:
    assert PlainText(Part(("<p>", 0, "</p><a ")), 1).of([("Anna",)]) == [None]
    assert PlainText(Part(("<p =", 0, ">x</p>")), 1).of([("Anna",)]) == [None]


def test_a_letter_full_of_numbers_has_stand_ins() -> None:
    numbers = "".join(map(str, range(1000, 70_000)))
    began = time.process_time()

    [found] = PlainText(Part((f"<p>{numbers} ", 0, "</p>")), 1).of([("Anna",)])

    assert found is not None
    assert found[0].fill([*found[1], *found[1]]) == f"{numbers} Anna"
    assert time.process_time() - began < 3


def test_the_length_of_a_message_is_counted_in_no_time() -> None:
    began = time.process_time()

    assert _length("<" * 200_000) == 200_000
    assert _length(f"<b>a</b>&amp;&#{'9' * 5000};") == 5005
    with pytest.raises(WrongValue):
        ENGINE.render_own(Own(Source(html="<" * 200_000)), Channel.TELEGRAM, Call(READER, {}))

    assert time.process_time() - began < SECONDS


def test_what_is_well_formed_is_left_as_it_is() -> None:
    html = "<div class=\"a\"><a href='https://x.example/?a=1&b=2'>b</a>&nbsp;\n  c</div>"
    markup = Markup(html)

    assert markup.text == html
    assert not markup.broken
