"""Wheels into stores, and from stores into environments."""
