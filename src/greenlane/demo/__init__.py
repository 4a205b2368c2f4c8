"""The demo: a tea shop (`service/`), seven pull requests to it (`pulls/`), and the whole pipeline at work on them.

`service/` and `pulls/` are data: the shop's files as they stand in its repository, and each change as a mailed patch.
"""
