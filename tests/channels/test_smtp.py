"""A letter through a real SMTP dialogue: what it looks like, what answers mean, how connections are used."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from pydantic import ValidationError

from channels.base import Accepted, Category, Message, Refused, Retry, Scope
from channels.email import replies
from channels.email.replies import Stage
from channels.email.smtp import Smtp, SmtpConfig
from channels.http import ProviderHttp
from tests.simulators.smtp import Accident, SmtpSimulator

MESSAGE = Message(
    key="0192f3a0-0000-7000-8000-000000000001",
    to="anna@example.com",
    to_name="Анна",
    subject="Заказ 1001 принят",
    text="Здравствуйте!\n.\nЗаказ принят.",
    html="<p>Заказ принят.</p>",
)


def config(server: int, **settings: Any) -> SmtpConfig:
    given = {
        "host": "127.0.0.1",
        "port": server,
        "security": "none",
        "from": "Ромашка <shop@example.com>",
        "timeout": 2,
    }
    return SmtpConfig.model_validate(given | settings)


@pytest.fixture
async def http() -> AsyncIterator[ProviderHttp]:
    http = ProviderHttp()
    yield http
    await http.close()


@pytest.fixture
async def server() -> AsyncIterator[SmtpSimulator]:
    async with SmtpSimulator() as server:
        yield server


@pytest.fixture
async def smtp(server: SmtpSimulator, http: ProviderHttp) -> AsyncIterator[Smtp]:
    adapter = Smtp(config(server.port), http)
    yield adapter
    await adapter.close()


def letter(server: SmtpSimulator) -> EmailMessage:
    return cast("EmailMessage", server.sent[-1].extra["letter"])


class TestLetter:
    async def test_arrives_whole(self, smtp: Smtp, server: SmtpSimulator) -> None:
        await smtp.send([MESSAGE])

        [sent] = server.sent
        assert (sent.to, sent.subject) == ("anna@example.com", "Заказ 1001 принят")
        assert sent.text == MESSAGE.text
        assert sent.html == MESSAGE.html
        assert letter(server).get_content_type() == "multipart/alternative"
        assert str(letter(server)["To"]) == "Анна <anna@example.com>"
        assert str(letter(server)["From"]) == "Ромашка <shop@example.com>"
        assert letter(server)["Date"].datetime is not None

    async def test_has_one_message_id_for_all_repeats(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        outcomes = [*await smtp.send([MESSAGE]), *await smtp.send([MESSAGE])]

        known = f"<{MESSAGE.key}@example.com>"
        assert outcomes == [Accepted(known), Accepted(known)]
        assert [sent.provider_id for sent in server.sent] == [known, known]

    async def test_without_html_is_plain(self, smtp: Smtp, server: SmtpSimulator) -> None:
        await smtp.send([replace(MESSAGE, html="")])

        assert letter(server).get_content_type() == "text/plain"

    async def test_offers_one_click_unsubscription(self, smtp: Smtp, server: SmtpSimulator) -> None:
        url = "https://hub.example/u/" + "t" * 300
        marketing = replace(MESSAGE, category=Category.MARKETING, unsubscribe_url=url)

        await smtp.send([marketing])

        assert letter(server)["List-Unsubscribe"] == f"<{url}>"
        assert letter(server)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert letter(server)["Auto-Submitted"] is None
        assert f"List-Unsubscribe: <{url}>\r\n".encode() in server.sent[-1].extra["raw"]

    async def test_a_link_to_unsubscribe_names_its_host_as_programs_do(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        await smtp.send([replace(MESSAGE, unsubscribe_url="https://магазин.рф/u/t")])

        assert letter(server)["List-Unsubscribe"] == "<https://xn--80aairftm.xn--p1ai/u/t>"

    async def test_of_an_order_says_that_a_machine_wrote_it(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        await smtp.send([MESSAGE])

        assert letter(server)["Auto-Submitted"] == "auto-generated"
        assert letter(server)["List-Unsubscribe"] is None

    @pytest.mark.parametrize(
        "subject",
        [
            "руб. iPhone A-1042/7 в СБП до руб. Wi-Fi при доставку для Wi-Fi при марта! и доставку",
            "Pro в Ozon 5 5 при для Pro в вас и магазин Ozon доставку СБП 😀 до от для",
            "Order 1001, " * 20 + "is on its way",
            "=?utf-8?q?what?= " + "x" * 1200,
            "",
            # Signs that are seen by what they do: joiners of a family and of Persian letters, a flag's tags, marks
            # of direction. And an emoji that Python's tables do not know yet.
            "Семье 👨\u200d👩\u200d👧 скидка",
            "سفارش شما می\u200cآید",
            "Order \u200f1001\u200e 🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",
            "New \U0001fae9 for you",
        ],
    )
    async def test_subject_arrives_as_it_was_written(
        self, smtp: Smtp, server: SmtpSimulator, subject: str
    ) -> None:
        await smtp.send([replace(MESSAGE, subject=subject)])

        assert server.sent[-1].subject == subject
        assert max(map(len, server.sent[-1].extra["raw"].split(b"\r\n"))) < 998

    @pytest.mark.parametrize(
        "name",
        ["Иванова, Анна", 'O"Hara, <x@y.z>', "a, " * 90, "Ж, " * 60, "Anna\r\nBcc: x@y.z", "\\"],
    )
    async def test_name_cannot_add_recipients_or_headers(
        self, smtp: Smtp, server: SmtpSimulator, name: str
    ) -> None:
        await smtp.send([replace(MESSAGE, to_name=name, subject=f"Hi\r\nBcc: {name}")])

        [to] = letter(server)["To"].addresses
        assert to.addr_spec == "anna@example.com"
        assert letter(server)["Bcc"] is None

    async def test_answers_go_where_the_shop_wants_them(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, reply_to="help@example.com"), http)

        await smtp.send([MESSAGE])
        await smtp.close()

        assert letter(server)["Reply-To"] == "help@example.com"


class TestAnswers:
    @pytest.mark.parametrize(
        ("command", "answer", "expected"),
        [
            ("RCPT", "550 5.1.1 No such user", Refused(Scope.RECIPIENT, "5.1.1", "")),
            ("RCPT", "550 5.1.10 Null MX", Refused(Scope.RECIPIENT, "5.1.10", "")),
            ("RCPT", "550 5.2.1 Disabled", Refused(Scope.RECIPIENT, "5.2.1", "")),
            ("RCPT", "550 No such user here", Refused(Scope.RECIPIENT, "550", "")),
            ("RCPT", "550 relay not permitted", Refused(Scope.ACCOUNT, "550", "")),
            ("RCPT", "550 Sender verify failed", Refused(Scope.ACCOUNT, "550", "")),
            ("RCPT", "554 Relay access denied", Refused(Scope.ACCOUNT, "554", "")),
            (
                "RCPT",
                "550 spam message rejected",
                Refused(Scope.RECIPIENT, "550", "", suppress=False),
            ),
            ("DATA", "550 5.1.1 No such user", Refused(Scope.RECIPIENT, "5.1.1", "")),
            ("RCPT", "552 5.2.2 Full", Refused(Scope.RECIPIENT, "5.2.2", "", suppress=False)),
            ("RCPT", "550 5.4.1 Denied", Refused(Scope.RECIPIENT, "5.4.1", "", suppress=False)),
            ("RCPT", "553 Not allowed", Refused(Scope.RECIPIENT, "553", "", suppress=False)),
            ("DATA", "552 5.3.4 Too big", Refused(Scope.MESSAGE, "5.3.4", "")),
            ("MAIL", "552 Too big", Refused(Scope.MESSAGE, "552", "")),
            ("DATA", "550 5.7.1 Spam", Refused(Scope.MESSAGE, "5.7.1", "")),
            ("DATA", "554 Transaction failed", Refused(Scope.MESSAGE, "554", "")),
            ("DATA", "554 5.6.0 Bad content", Refused(Scope.MESSAGE, "5.6.0", "")),
            ("RCPT", "554 5.7.1 Blocked by policy", Refused(Scope.MESSAGE, "5.7.1", "")),
            ("RCPT", "554 5.7.1 Relay access denied", Refused(Scope.ACCOUNT, "5.7.1", "")),
            ("MAIL", "553 5.7.1 Not owned by you", Refused(Scope.ACCOUNT, "5.7.1", "")),
            ("MAIL", "550 5.1.8 Unknown domain", Refused(Scope.ACCOUNT, "5.1.8", "")),
            ("DATA", "550 5.7.26 SPF and DKIM", Refused(Scope.ACCOUNT, "5.7.26", "")),
            ("MAIL", "530 5.7.0 Sign in first", Refused(Scope.ACCOUNT, "5.7.0", "")),
            ("CONNECT", "554 No service here", Refused(Scope.ACCOUNT, "554", "")),
            # A recipient's own trouble holds up no other letter.
            ("RCPT", "450 4.2.0 Greylisted", Retry("4.2.0", throttled=True, alone=True)),
            ("RCPT", "452 4.2.2 Full", Retry("4.2.2", throttled=True, alone=True)),
            ("RCPT", "450 4.7.1 Too much mail from you", Retry("4.7.1", throttled=True)),
            ("DATA", "451 4.3.0 Disk", Retry("4.3.0")),
            ("DATA", "421 4.7.28 Too much", Retry("4.7.28", throttled=True)),
            ("CONNECT", "421 Busy", Retry("421")),
        ],
    )
    async def test_say_whose_fault_it_is(
        self,
        smtp: Smtp,
        server: SmtpSimulator,
        command: str,
        answer: str,
        expected: Refused | Retry,
    ) -> None:
        server.answers[command] = answer

        [outcome] = await smtp.send([MESSAGE])

        if isinstance(outcome, Refused):
            assert outcome.reason in answer
            outcome = replace(outcome, reason="")
        assert outcome == expected

    async def test_do_not_carry_the_address_into_the_attempt(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        server.answers["RCPT"] = "550 5.1.1 <anna@example.com>: User unknown"

        [outcome] = await smtp.send([MESSAGE])

        assert outcome == Refused(Scope.RECIPIENT, "5.1.1", "5.1.1 <(address)>: User unknown")

    def test_that_are_neither_yes_nor_no_may_mean_yes_after_the_letter(self) -> None:
        assert replies.outcome(-1, "", Stage.DATA) == Retry("smtp--1-unreadable", maybe_sent=True)
        assert replies.outcome(354, "", Stage.RECIPIENT) == Retry("smtp-354-unreadable")

    def test_of_several_lines_become_one_of_bounded_length(self) -> None:
        refused = replies.outcome(550, "5.1.1 No\nsuch " + "x" * 1000, Stage.RECIPIENT)

        assert isinstance(refused, Refused)
        assert refused.reason.startswith("5.1.1 No such x")
        assert len(refused.reason) == 300


class TestAddresses:
    async def test_international_domain_goes_out_in_ascii(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        await smtp.send([replace(MESSAGE, to="anna@пример.рф")])

        assert server.sent[0].to == "anna@xn--e1afmkfd.xn--p1ai"

    async def test_cyrillic_name_is_refused_where_the_server_cannot_take_it(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        [outcome] = await smtp.send([replace(MESSAGE, to="анна@example.com")])
        [next_one] = await smtp.send([MESSAGE])

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.RECIPIENT, "5.6.7")
        assert isinstance(next_one, Accepted)
        assert server.connections == 1

    async def test_cyrillic_name_goes_out_where_the_server_can_take_it(
        self, http: ProviderHttp
    ) -> None:
        async with SmtpSimulator(smtputf8=True) as server:
            smtp = Smtp(config(server.port), http)

            [outcome] = await smtp.send([replace(MESSAGE, to="анна@пример.рф")])
            await smtp.close()

        assert isinstance(outcome, Accepted)
        assert server.sent[0].to == "анна@xn--e1afmkfd.xn--p1ai"
        assert server.sent[0].subject == MESSAGE.subject

    @pytest.mark.parametrize(
        "to", ["анна", "anna", "@example.com", "a@b.ru>\r\nRCPT TO:<c@d.ru", "a b@example.com", ""]
    )
    async def test_nonsense_is_refused_without_a_call(
        self, smtp: Smtp, server: SmtpSimulator, to: str
    ) -> None:
        [outcome] = await smtp.send([replace(MESSAGE, to=to)])

        assert isinstance(outcome, Refused)
        assert outcome.scope is Scope.RECIPIENT
        assert server.connections == 0


class TestConnections:
    async def test_are_used_again(self, smtp: Smtp, server: SmtpSimulator) -> None:
        for _ in range(5):
            await smtp.send([MESSAGE])

        assert server.connections == 1
        assert len(server.sent) == 5

    async def test_are_used_again_after_a_refusal(self, smtp: Smtp, server: SmtpSimulator) -> None:
        server.refused["nobody@example.com"] = "550 5.1.1 No such user"

        await smtp.send([replace(MESSAGE, to="nobody@example.com")])
        await smtp.send([MESSAGE])

        assert server.connections == 1
        assert [sent.to for sent in server.sent] == ["anna@example.com"]

    async def test_that_the_server_cut_meanwhile_are_replaced(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        await smtp.send([MESSAGE])
        server.hang_up()

        [outcome] = await smtp.send([MESSAGE])

        assert isinstance(outcome, Accepted)
        assert server.connections == 2

    async def test_that_the_server_says_goodbye_on_are_replaced(
        self, smtp: Smtp, server: SmtpSimulator
    ) -> None:
        await smtp.send([MESSAGE])
        server.answers["RSET"] = "421 4.4.2 Idle too long"

        [outcome] = await smtp.send([MESSAGE])

        assert isinstance(outcome, Accepted)
        assert server.connections == 2

    async def test_are_not_used_again_after_silence(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, timeout=1), http)
        server.accident = Accident("DATA", hang=True)
        await smtp.send([MESSAGE])
        server.accident = None

        [outcome] = await smtp.send([MESSAGE])
        await smtp.close()

        assert isinstance(outcome, Accepted)
        assert server.connections == 2

    async def test_are_no_more_than_allowed(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, connections=2), http)

        await asyncio.gather(*(smtp.send([MESSAGE]) for _ in range(20)))
        await smtp.close()

        assert len(server.sent) == 20
        assert server.connections == 2

    async def test_end_with_the_adapter(self, smtp: Smtp, server: SmtpSimulator) -> None:
        await smtp.send([MESSAGE])

        await smtp.close()
        await smtp.send([MESSAGE])

        assert server.connections == 2

    async def test_that_are_given_up_do_not_block_the_next(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, connections=1, timeout=30), http)
        server.accident = Accident("MAIL", hang=True)
        task = asyncio.create_task(smtp.send([MESSAGE]))
        await server.happened.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        server.accident = None

        [outcome] = await smtp.send([MESSAGE])
        await smtp.close()

        assert isinstance(outcome, Accepted)


class Certificates:
    """One authority of our own and a server certificate by it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        self.ca_file = folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self.ca_file))
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(self.server)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


class TestEncryption:
    async def test_is_switched_on_before_the_password(
        self, certificates: Certificates, http: ProviderHttp
    ) -> None:
        login: dict[str, Any] = {"username": "shop", "password": "secret"}
        async with SmtpSimulator(starttls=certificates.server, **login) as server:
            settings = {"security": "starttls", "ca_file": certificates.ca_file}
            smtp = Smtp(config(server.port, **settings, **login), http)

            check = await smtp.check()
            [outcome] = await smtp.send([MESSAGE])
            await smtp.close()

        assert check.ok, check.text
        assert isinstance(outcome, Accepted)

    async def test_from_the_first_byte(
        self, certificates: Certificates, http: ProviderHttp
    ) -> None:
        async with SmtpSimulator(tls=certificates.server) as server:
            settings = {"security": "tls", "ca_file": certificates.ca_file}
            smtp = Smtp(config(server.port, **settings), http)

            [outcome] = await smtp.send([MESSAGE])
            await smtp.close()

        assert isinstance(outcome, Accepted)

    async def test_missing_at_the_server_stops_everything(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, security="starttls"), http)

        [outcome] = await smtp.send([MESSAGE])
        await smtp.close()

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "no-starttls")
        assert not server.sent
        assert "MAIL" not in server.commands

    @pytest.mark.parametrize("security", ["starttls", "tls"])
    async def test_needs_a_certificate_that_is_trusted(
        self, certificates: Certificates, http: ProviderHttp, security: str
    ) -> None:
        offered: dict[str, Any] = {security: certificates.server}
        async with SmtpSimulator(**offered) as server:
            smtp = Smtp(config(server.port, security=security), http)

            [outcome] = await smtp.send([MESSAGE])
            check = await smtp.check()
            await smtp.close()

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "certificate")
        assert not check.ok

    async def test_spoken_to_a_plain_port_is_no_loss(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, security="tls"), http)

        [outcome] = await smtp.send([MESSAGE])
        await smtp.close()

        assert isinstance(outcome, Retry)
        assert not outcome.maybe_sent

    async def test_password_is_not_sent_where_nobody_asks_for_it(
        self, server: SmtpSimulator, http: ProviderHttp
    ) -> None:
        smtp = Smtp(config(server.port, username="shop", password="secret"), http)

        [outcome] = await smtp.send([MESSAGE])
        await smtp.close()

        assert isinstance(outcome, Refused)
        assert (outcome.scope, outcome.code) == (Scope.ACCOUNT, "no-login")


class TestSettings:
    @pytest.mark.parametrize(
        ("written", "name", "address"),
        [
            ("shop@example.com", "", "shop@example.com"),
            ("Ромашка <shop@example.com>", "Ромашка", "shop@example.com"),
            ('"Ромашка, ООО" <shop@example.com>', "Ромашка, ООО", "shop@example.com"),
            ("Ромашка, ООО <shop@example.com>", "Ромашка, ООО", "shop@example.com"),
            ("<shop@пример.рф>", "", "shop@xn--e1afmkfd.xn--p1ai"),
        ],
    )
    def test_sender_is_understood(self, written: str, name: str, address: str) -> None:
        sender = config(25, **{"from": written}).sender

        assert (sender.name, sender.address) == (name, address)

    @pytest.mark.parametrize(
        "written",
        [
            "",
            "Ромашка",
            "Ромашка <>",
            "shop@example.com\r\nBcc: all@example.com",
            "A <a@example.com>, B <b@example.com>\n",
            "a@example.com, b@example.com",
            "магазин@example.com",
            7,
        ],
    )
    def test_sender_that_is_none_is_refused(self, written: Any) -> None:
        with pytest.raises(ValidationError, match="from"):
            config(25, **{"from": written})

    @pytest.mark.parametrize(
        ("base_url", "server"),
        [
            ("smtp://mail.example.com", ("mail.example.com", 2525)),
            ("smtp://mail.example.com:587/", ("mail.example.com", 587)),
            ("smtp://[::1]:1025", ("::1", 1025)),
            ("", ("127.0.0.1", 2525)),
        ],
    )
    def test_base_url_names_the_server(self, base_url: str, server: tuple[str, int]) -> None:
        assert config(2525, base_url=base_url).server == server

    @pytest.mark.parametrize(
        "settings",
        [
            {"base_url": "https://mail.example.com"},
            {"base_url": "smtp://shop:secret@mail.example.com"},
            {"base_url": "smtp://mail.example.com:0"},
            {"base_url": "smtp://mail.example.com:99999"},
            {"base_url": "smtp://"},
            {"host": ""},
            {"port": 0},
            {"security": "ssl"},
            {"username": "shop"},
            {"password": "secret"},
            {"timeout": 0},
            {"timeout": "0s"},
            {"timeout": "soon"},
            {"ca_file": "/nowhere.pem"},
            {"ca_file": __file__},
            {"unknown": 1},
        ],
    )
    def test_wrong_ones_are_told_without_their_secrets(self, settings: dict[str, Any]) -> None:
        with pytest.raises(ValidationError) as wrong:
            config(25, **settings)

        assert "secret" not in str(wrong.value)
