"""How long people's data stays: what is old goes, and what an erasure has left behind is swept up."""
