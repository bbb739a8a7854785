"""The client without awaiting. Made from `_async` by `client/make_sync.py`: change it there."""
