"""Reads package indexes, find-links and version control: pages, metadata, files.

Answers come from the store where that is allowed, else over HTTP or from local folders. Nothing here decides which
version is taken; `resolve` does. Importing `safe_install.index.client` loads no HTTP client before one is needed.
"""
