"""The product: shops, contacts, templates, notifications and the doors to them, a package per feature."""
