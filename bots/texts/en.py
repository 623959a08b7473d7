"""English."""

from bots.texts.words import Words

WORDS = Words(
    bound=("Done! Messages from {shop} will now come here.\n\nTo stop them, send /stop."),
    link_used=(
        "This link has already been used: it works once. Please get a new one where you found it."
    ),
    link_expired=(
        "This link has expired: it works for one day. Please get a new one where you found it."
    ),
    link_unknown=(
        "We do not know this link. Perhaps a part of it is missing. "
        "Please open it again or get a new one."
    ),
    welcome_stranger=(
        "Hello! This is the bot of {shop}.\n\n"
        "To get messages about your orders here, open your connection link: "
        "it is in your account or in a letter from the shop."
    ),
    welcome_known=("Welcome back! Messages from {shop} come here.\n\nTo stop them, send /stop."),
    stopped="All right, nothing more will come here. To get messages again, send /start.",
    help_known=(
        "I bring you messages from {shop} and cannot answer questions: "
        "please write to the shop directly.\n\n"
        "/stop: no more messages\n/start: messages again"
    ),
    help_stranger=(
        "I bring messages from {shop}, but I do not know who you are yet. "
        "Open your connection link: it is in your account or in a letter from the shop."
    ),
    old_button="This button no longer works.",
)
