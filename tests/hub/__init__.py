"""The product, feature by feature."""
