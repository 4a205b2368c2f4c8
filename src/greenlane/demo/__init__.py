"""The demo: a tea shop (`service/`), seven pull requests to it (`patches/`), and the whole pipeline at work on them.

`service/` and `patches/` are data: the shop's files as they stand in its repository, and each change as a mailed patch.
"""
