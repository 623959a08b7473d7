import structlog

from hub import logs


def test_a_logger_in_use_is_heard_whatever_a_later_command_sets_up() -> None:
    log = structlog.get_logger()
    log.info("before")

    logs.configure()
    with structlog.testing.capture_logs() as heard:
        log.info("after")

    assert [entry["event"] for entry in heard] == ["after"]
