"""Stores: folders of immutable entries named by digest, and the one module that makes things appear in them."""
