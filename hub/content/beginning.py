"""What a shop's own text may begin with: the built-in one's words, as a source of its own."""

import re

from channels.base import Channel
from hub.content.catalog import ANSWERS
from hub.content.model import TAGS, Audience, Source

_BLOCK = re.compile(r"{% block (\w+) %}(.*?){% endblock %}", re.DOTALL)
_CODE = re.compile(r"{{.*?}}|{%.*?%}", re.DOTALL)
# What the layouts work out for the built-in texts, and where the data has it.
_PATHS = {
    "tracking": "{root}.tracking",
    "reason": "{root}.reason",
    "address": "{root}.delivery.address",
    "total": "{root}.total",
    "goods_count": "{root}.lines|length",
    "shop_name": "shop.name",
}
_NAMES = re.compile(rf"(?<![\w.'])({'|'.join(_PATHS)})\b(?!')")
_GOODS = """{{% if {root}.lines %}}
<ul>
{{% for line in {root}.lines %}}
  <li>{{{{ line.title }}}}{{% if line.quantity %}} × {{{{ line.quantity|number }}}}{{% endif %}}</li>
{{% endfor %}}
</ul>
{{% endif %}}
"""
_ANSWER = (
    '{% if links.answer %}<p><a href="{{ links.answer }}">{{ links.answer }}</a></p>{% endif %}\n'
)


def beginning(file: str, name: str, channel: Channel, audience: Audience) -> Source:
    """Made of the event's file; empty where it has nothing for that audience. It is to be checked like any other text."""
    blocks = dict(_BLOCK.findall(file))
    root = "cart" if name.startswith("cart.") else "order"

    def piece(*names: str) -> str:
        for one in names:
            found = blocks.get(f"{audience}_{one}") or blocks.get(one)
            if found:
                return _own(found.strip(), root)
        return ""

    title, lead = piece("title"), piece("lead")
    if not title and not lead:
        return Source()
    if channel is Channel.SMS:
        return Source(text=f"{piece('sms') or title}{piece('sms_more')}")
    if channel is Channel.PUSH:
        return Source(title, piece("push", "lead") or title)
    if channel is Channel.EMAIL:
        return Source(piece("subject", "title"), "", _letter(name, root, title, lead))
    text = "\n\n".join(filter(None, (title, lead)))
    if channel in TAGS:
        return Source(text=text, html="\n\n".join(filter(None, (f"<b>{title}</b>", lead))))
    return Source(text=text)


def _letter(name: str, root: str, title: str, lead: str) -> str:
    has_goods = name != "security.code"
    goods = _GOODS.format(root=root) if has_goods else ""
    answer = _ANSWER if name in ANSWERS else ""
    return f"<h1>{title}</h1>\n<p>{lead}</p>\n{goods}{answer}".strip()


def _own(text: str, root: str) -> str:
    money = f"{{{{ {root}.total|money({root}.currency) }}}}"
    return _CODE.sub(lambda code: _renamed(code[0], root), text.replace("{{ total }}", money))


def _renamed(code: str, root: str) -> str:
    return _NAMES.sub(lambda name: _PATHS[name[1]].format(root=root), code)
