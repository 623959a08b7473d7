"""E-mail addresses in their one stored form."""

from email_validator import EmailNotValidError, validate_email


def normalise(value: str) -> str:
    """The address with its domain in lower case and in ASCII (IDNA). The part before the @ stays as it is:
    only the receiving server knows whether its letters' case matters.

    Raises `ValueError` with a reason for people. Letters beyond ASCII before the @ are refused, since few
    providers carry them; so are names that never get mail (`localhost`, `.test`).
    """
    try:
        found = validate_email(value.strip(), check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as error:
        raise ValueError(f"is not an e-mail address: {error}") from None
    return found.ascii_email or found.normalized
