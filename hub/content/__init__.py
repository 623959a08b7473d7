"""What is said: built-in templates, the shops' own versions of them, and the rendering of both."""
