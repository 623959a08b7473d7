"""How often Python looks for rings of objects that only hold each other."""

import atexit
import gc

_YOUNG = 50_000
"""New objects between two looks. A batch of a thousand is so many, all in use until it is answered or sent: with Python's
own 700 a quarter of the intake's time went into looking through them, and a tenth of the sending."""


def begin() -> None:
    """For a process that starts: what it imports stays to the end, when the system takes it all back at once. Looked
    through by Python's own rules, again and again and once more at the end, it is a quarter of a start."""
    gc.set_threshold(_YOUNG)
    atexit.register(gc.freeze)


def look_seldom() -> None:
    """For a process that has started: what there is by now stays, and is not looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
