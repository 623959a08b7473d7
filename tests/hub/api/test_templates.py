"""Templates over the API; what they can say is tested with the content."""

from tests.hub.api.client import Api

PATH = "/v1/templates/order.shipped/email/ru"
LETTER = {"subject": "Заказ {{ order.number }}", "text": "Отправлен: {{ order.number }}"}


async def test_the_list_names_every_built_in_template_once_over_its_pages(api: Api) -> None:
    names: list[str] = []
    cursor = ""
    while True:
        page = (await api.get(f"/v1/templates?limit=5{cursor}")).json
        names += [item["name"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"

    assert names == sorted(set(names))
    assert {"order.placed", "order.cancelled", "security.code"} <= set(names)


async def test_a_template_tells_what_it_needs(api: Api) -> None:
    template = (await api.get("/v1/templates/order.shipped")).json

    required = [v["name"] for v in template["variables"] if v["required"]]
    assert required == ["order.number"]
    assert template["category"] == "transactional"
    assert template["languages"] == ["en", "ru"]
    assert template["own"] is False
    assert template["versions"] == []
    assert all(source["built_in"] for source in template["sources"])


async def test_an_unknown_template_is_404(api: Api) -> None:
    assert (await api.get("/v1/templates/no.such")).status == 404


async def test_every_version_is_kept_and_taking_it_back_brings_the_built_in_one(api: Api) -> None:
    first = await api.put(PATH, LETTER)
    second = await api.put(PATH, LETTER | {"text": "Уже в пути: {{ order.number }}"})
    own = (await api.get("/v1/templates/order.shipped")).json
    deleted = await api.delete(PATH)
    back = (await api.get("/v1/templates/order.shipped")).json

    assert (first.status, second.status, deleted.status) == (200, 200, 204)
    assert own["own"] is True
    assert [version["number"] for version in own["versions"]] == [2, 1]
    assert own["versions"][0]["author"].startswith("vst_")
    assert back["own"] is False
    assert [version["deleted"] for version in back["versions"]] == [True, False, False]
    assert (await api.delete(PATH)).status == 404


async def test_a_template_is_checked_before_it_is_stored(api: Api) -> None:
    for body, at in [
        ({"text": "x"}, "/subject"),
        (LETTER | {"text": "{{ order.number"}, "/text"),
        (LETTER | {"text": 5}, "/text"),
        (LETTER | {"body": "x"}, "/body"),
        (LETTER | {"audience": "everybody"}, "/audience"),
    ]:
        answer = await api.put(PATH, body)
        assert answer.status == 400
        assert answer.pointers == [at]
    assert (await api.get("/v1/templates/order.shipped")).json["versions"] == []


async def test_a_wrong_place_is_pointed_at(api: Api) -> None:
    for path, at in [
        ("/v1/templates/order.shipped/pigeon/ru", "/channel"),
        ("/v1/templates/order.shipped/email/nowhere", "/locale"),
        ("/v1/templates/Order!/email/ru", "/name"),
        ("/v1/templates/a%00b/email/ru", "/name"),
    ]:
        answer = await api.put(path, LETTER)
        assert answer.status == 400
        assert answer.pointers == [at]


async def test_the_category_of_a_template_cannot_be_changed(api: Api) -> None:
    answer = await api.put(PATH, LETTER | {"category": "marketing"})

    assert answer.status == 422
    assert answer.pointers == ["/category"]
