"""What may stand at a provider's door: calls of its own with something wrong in them, and rubbish."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from channels.base import HookRequest
from tests.fuzz.replies import bodies

_METHODS = ("GET", "HEAD", "POST", "PUT", "")

# Headers as the server hands them on: what is no UTF-8 comes as half surrogates.
_header_values = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.sampled_from(
        [
            "application/x-www-form-urlencoded",
            "multipart/form-data",
            "sha256=",
            "text/plain;charset=x",
        ]
    ),
)
_names = st.sampled_from(
    [
        "content-type",
        "x-telegram-bot-api-secret-token",
        "x-max-bot-api-secret",
        "x-hub-signature-256",
        "x-viber-content-signature",
        "x-mandrill-signature",
        "authorization",
    ]
)
_queries = st.dictionaries(
    st.sampled_from(["hub.mode", "hub.verify_token", "hub.challenge", "id", "status", "data[0]"]),
    st.text(max_size=20),
    max_size=3,
)


@st.composite
def calls(draw: st.DrawFn, like: Sequence[HookRequest]) -> HookRequest:
    """One of `like`, changed: mostly its body, now and then the rest."""
    call = draw(st.sampled_from(like)) if like else HookRequest("POST", {}, {}, b"{}")
    call = replace(call, body=draw(bodies([call.body])))
    match draw(st.integers(0, 9)):
        case 0:
            call = replace(call, headers=draw(st.dictionaries(_names, _header_values, max_size=3)))
        case 1 | 2:
            changed = draw(st.dictionaries(_names, _header_values, min_size=1, max_size=2))
            call = replace(call, headers={**call.headers, **changed})
        case 3 | 4:
            call = replace(call, query={**call.query, **draw(_queries)})
        case 5:
            call = replace(call, method=draw(st.sampled_from(_METHODS)))
    return call
