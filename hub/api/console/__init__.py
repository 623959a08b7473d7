"""The operator's console: pages for those who run the shops. A module that has `pages` (a `hub.api.console.frame.Pages`)
is part of it."""
