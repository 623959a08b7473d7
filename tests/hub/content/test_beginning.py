"""What a shop's own text begins with passes what the shop's own texts have to."""

import pytest

from channels.base import Channel
from hub.content.beginning import beginning
from hub.content.catalog import Catalog
from hub.content.model import Audience, Source, Variant
from hub.content.render import LANGUAGES
from hub.content.service import mistakes


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_built_in_one_gives_a_text_that_can_be_stored(
    built_in: Catalog, language: str
) -> None:
    for name in built_in.names(1):
        template = built_in.find(1, name)
        assert template is not None
        file = template.built_in_source(language)
        for audience in template.info().audience:
            for channel in Channel:
                source = beginning(file, name, channel, audience)
                variant = Variant(channel, language, audience)
                wrong = await mistakes(built_in, 1, name, variant, source)
                assert not wrong, (name, audience, channel)


def test_it_names_what_the_layouts_work_out_as_the_data_has_it(built_in: Catalog) -> None:
    template = built_in.find(1, "order.shipped")
    assert template is not None
    file = template.built_in_source("en")

    text = beginning(file, "order.shipped", Channel.TELEGRAM, Audience.BUYER)

    assert "{{ order.tracking }}" in text.html
    assert text.html.startswith("<b>")


@pytest.mark.parametrize(
    ("name", "asks"),
    [("stock.request", True), ("order.reassemble", True), ("stock.cancelled", False)],
)
def test_only_what_asks_leads_to_the_page_where_it_is_answered(
    built_in: Catalog, name: str, asks: bool
) -> None:
    template = built_in.find(1, name)
    assert template is not None

    letter = beginning(template.built_in_source("ru"), name, Channel.EMAIL, Audience.WAREHOUSE).html

    assert ("links.answer" in letter) is asks


def test_where_there_is_nothing_it_is_empty() -> None:
    assert beginning("", "order.shipped", Channel.SMS, Audience.BUYER) == Source()
