"""How many parts each built-in SMS takes: every part is paid for."""

import pytest

from channels.sms.parts import Encoding, parts
from hub.content.catalog import Catalog
from hub.content.model import Audience
from hub.content.variables import EXAMPLE, ORDER
from tests.hub.content.conftest import Render
from tests.hub.content.test_built_in import variants


@pytest.mark.parametrize("locale", ["ru", "en"])
@pytest.mark.parametrize("number", ["1001", "ORD-20261123"])
@pytest.mark.parametrize("least", [True, False], ids=["least", "all"])
def test_each_fits_one_part(
    built_in: Catalog, render: Render, number: str, locale: str, least: bool
) -> None:
    order = {"number": number} if least else {**ORDER, "number": number}
    for name, audience in variants(built_in):
        sms = render(name, "sms", audience, data={**EXAMPLE, "order": order}, locale=locale).text

        assert parts(sms).count == 1, (name, audience, sms)


def test_english_ones_stay_in_the_small_alphabet(built_in: Catalog, render: Render) -> None:
    data = {**EXAMPLE, "order": {"number": "1001", "total": "4990", "tracking": "RA123456789RU"}}
    for name, audience in variants(built_in):
        sms = render(name, "sms", audience, data=data, locale="en").text

        assert parts(sms).encoding is Encoding.GSM_7, sms


def test_a_tracking_number_comes_along_where_it_costs_no_second_part(render: Render) -> None:
    def sms(tracking: str) -> str:
        data = {"order": {"number": "1001", "tracking": tracking}}
        return render("order.shipped", "sms", data=data).text

    assert sms("RA123456789RU") == "Заказ 1001 отправлен. Трек RA123456789RU"
    assert sms("RA" + "1" * 60) == "Заказ 1001 отправлен."


def test_money_brings_no_character_that_doubles_the_price(render: Render) -> None:
    data = {"order": {"number": "1001", "total": "4990.00"}}

    sms = render("order.placed", "sms", Audience.BUYER, data=data, locale="en").text

    assert sms == "Order 1001 received. Thank you! Total RUB 4,990."


def test_a_code_is_short(render: Render) -> None:
    sms = render("security.code", "sms", data={"code": "482915", "minutes": 5}).text

    assert sms == "482915 – ваш код. Никому его не сообщайте. Действует 5 мин."
