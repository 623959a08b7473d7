"""platform -> its module, imported on first use."""

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from hub.sources.base import Platform

PLATFORMS: Mapping[str, str] = {
    "insales": "hub.sources.platforms.insales:InSales",
    "cscart": "hub.sources.platforms.cscart:CsCart",
    "woocommerce": "hub.sources.platforms.woocommerce:WooCommerce",
    "shopify": "hub.sources.platforms.shopify:Shopify",
    "bitrix": "hub.sources.platforms.bitrix:Bitrix",
    "moysklad": "hub.sources.platforms.moysklad:MoySklad",
    "retailcrm": "hub.sources.platforms.retailcrm:RetailCrm",
    "yandex_market": "hub.sources.platforms.yandex_market:YandexMarket",
    "ozon": "hub.sources.platforms.ozon:Ozon",
    "generic": "hub.sources.platforms.generic:Generic",
}


class UnknownPlatform(LookupError):
    """No platform of that name; the text lists those there are."""


def known() -> list[str]:
    return list(PLATFORMS)


def platform_class(name: str) -> "type[Platform]":
    """Raises `UnknownPlatform`."""
    path = PLATFORMS.get(name)
    if path is None:
        raise UnknownPlatform(f"{name!r} is no platform; there is: {', '.join(PLATFORMS)}")
    module, _, class_ = path.partition(":")
    try:
        return cast("type[Platform]", getattr(import_module(module), class_))
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        # Named here before its module is there: to the hub it is not known yet.
        raise UnknownPlatform(f"{name!r} cannot be read by this version") from None
