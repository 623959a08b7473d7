"""`vestnik demo`: an order's whole way through a running hub, played by the doors that people and shops use."""
