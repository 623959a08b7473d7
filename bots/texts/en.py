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
    code_used="This code has already been used: it works once. Please get a new one.",
    code_expired="This code has expired: it works for one day. Please get a new one.",
    code_unknown=(
        "We do not know this code. Please compare it letter by letter and send it again, or get a new one."
    ),
    code_too_many=(
        "Several codes did not fit, so no more are accepted for now. "
        "Please come back in an hour with a new code."
    ),
    welcome_stranger=(
        "Hello! This is the bot of {shop}.\n\n"
        "To get messages about your orders here, open your connection link or send me its code: "
        "it is in your account or in a letter from the shop."
    ),
    welcome_known=("Welcome back! Messages from {shop} come here.\n\nTo stop them, send /stop."),
    stopped="All right, nothing more will come here. To get messages again, send /start.",
    help_known=(
        "I bring you messages from {shop} and cannot answer questions: "
        "please write to the shop directly.\n\n"
        "/orders: your orders\n/settings: settings\n"
        "/stop: no more messages\n/start: messages again"
    ),
    help_stranger=(
        "I bring messages from {shop}, but I do not know who you are yet. "
        "Open your connection link or send me its code: it is in your account or in a letter from the shop."
    ),
    old_button="This button no longer works.",
    not_yours="Only the people of this warehouse and the seller can answer this.",
    changed="The order has changed. Please look again.",
    accepted="Thank you! Your answer is noted.",
    accepted_line="Noted: {confirmed} of {asked}.",
    corrected="Corrected.",
    repeated="This answer is already noted.",
    all_answered="All lines are answered already. If something is wrong, press “Correct”.",
    already="{who} has already answered ({time}): {confirmed} of {asked}.",
    already_none="{who} has already answered ({time}): none.",
    too_late="This cannot be corrected any more: time is up, or the order is paid.",
    closed="No answer is needed any more.",
    nothing_to_pack="Nothing is to be assembled any more.",
    assembled="Thank you! Marked as assembled.",
    assembled_already="{who} has already marked it ({time}).",
    somebody="a colleague",
    buttons_instead="I do not understand an answer in words: please press a button.",
    board="Waiting for you: {count}",
    board_empty="Nothing is waiting for you now.",
    board_more="Page {page} of {pages}",
    board_question="❓ {number} · lines: {lines}",
    board_assembly="📦 {number} · lines: {lines}",
    board_waits="📦 {number} · waits for the stock answer",
    orders="Your orders:",
    orders_empty="There are no orders yet.",
    orders_more="…and {number} more orders",
    order_line="Order {number}: {status}",
    order_parts="{confirmed} of {asked} in stock: {title}",
    tracking="tracking {tracking}",
    help_staff=(
        "I ask about stock and remind of orders to assemble for {shop}. "
        "Please answer with the buttons under the messages.\n\n"
        "/orders: what waits for an answer\n/settings: settings\n"
        "/stop: no more messages\n/start: messages again"
    ),
    group_bound="Done! Questions to {place} come to this group now. Open ones: /orders",
    group_not_bound=(
        "This link or code does not fit: it was used, has expired or is not for a warehouse's group. "
        "Please get a new one."
    ),
    settings="Message settings of {shop}",
    settings_stranger="Settings appear once you have opened your connection link or sent its code.",
    settings_saved="Saved.",
    settings_orders="Messages about orders: {channels}",
    settings_news="News and offers here: {state}",
    settings_quiet="Quiet hours: {quiet}",
    settings_no_quiet="none",
    settings_back="‹ Back",
    settings_language="Язык: русский",
    settings_first="{channel} first",
    settings_on="yes",
    settings_off="no",
    settings_by_shop="as the shop decides",
    channels={
        "email": "e-mail",
        "telegram": "Telegram",
        "vk": "VK",
        "max": "MAX",
        "sms": "SMS",
        "push": "push",
        "viber": "Viber",
        "whatsapp": "WhatsApp",
    },
)
