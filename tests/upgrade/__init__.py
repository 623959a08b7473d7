"""An upgrade as it goes: machine by machine, while the others work on."""
