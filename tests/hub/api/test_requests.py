"""Requests of every kind against the document that describes them, and refusals that name what they are about."""

import json

from jsonschema import Draft202012Validator

from tests.hub.api.client import Api

QUIET = {"from": "22:00", "to": "09:00", "categories": ["marketing"]}


async def test_content_must_say_something(api: Api) -> None:
    recipient = {"address": {"channel": "email", "value": "anna@example.com"}}
    for content in ({}, {"subject": "Привет"}, {"text": " "}, {"text": "", "html": ""}):
        body = {"content": content, "recipient": recipient}

        answer = await api.post("/v1/notifications", body)

        assert answer.status == 400, content
        assert [fault["detail"] for fault in answer.json["errors"]] == ["text or html is needed"]


async def test_a_text_that_is_too_long_is_told_of_that_alone(api: Api) -> None:
    recipient = {"address": {"channel": "email", "value": "anna@example.com"}}
    body = {"content": {"text": "x" * 100_001}, "recipient": recipient}

    answer = await api.post("/v1/notifications", body)

    assert (answer.status, answer.pointers) == (400, ["/content/text"])


async def test_an_unknown_contact_is_named(api: Api) -> None:
    body = {"content": {"text": "Привет"}, "recipient": {"external_id": "nobody-7"}}

    answer = await api.post("/v1/notifications", body)

    assert answer.status == 422
    assert answer.json["errors"] == [
        {"pointer": "/recipient/external_id", "detail": "there is no contact 'nobody-7'"}
    ]


async def test_the_document_takes_the_quiet_hours_that_the_hub_takes(api: Api) -> None:
    document = (await api.get("/openapi.json", key=None)).json
    schemas = json.dumps(document["components"]["schemas"]).replace(
        "#/components/schemas", "#/$defs"
    )
    whole = {"$ref": "#/$defs/ContactIn", "$defs": json.loads(schemas)}
    validator = Draft202012Validator(whole, format_checker=Draft202012Validator.FORMAT_CHECKER)

    for hours, good in ((QUIET, True), (QUIET | {"to": "9:00"}, False)):
        body = {"preferences": {"quiet_hours": hours}}
        assert validator.is_valid(body) is good
        answer = await api.put("/v1/contacts/anna", body)
        assert (answer.status < 300) is good


async def test_a_one_off_goes_by_the_channel_of_its_address_alone(api: Api) -> None:
    # The phone would serve sms, viber and whatsapp.
    recipient = {"address": {"channel": "viber", "value": "+79991234567"}}

    for channels in (None, ["sms"]):
        body = {"content": {"text": "Привет"}, "recipient": recipient, "channels": channels}
        answer = await api.post("/v1/notifications", body)
        assert (answer.json["status"], answer.json["plan"]) == ("undeliverable", [])
        assert {"channel": "sms", "reason": "not_requested"} in answer.json["skipped"]


async def test_a_list_of_wrong_items_is_not_called_empty_besides(api: Api) -> None:
    body = {"content": {"text": "Привет"}, "recipient": {"external_id": "anna"}}

    wrong = await api.post("/v1/notifications", body | {"channels": ["fax", "post"]})
    empty = await api.post("/v1/notifications", body | {"channels": []})

    assert wrong.pointers == ["/channels/0", "/channels/1"]
    assert empty.json["errors"] == [
        {"pointer": "/channels", "detail": "must have at least 1 item"},
    ]
