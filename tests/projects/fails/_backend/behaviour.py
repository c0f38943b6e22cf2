"""Says a lot, some of it secret and some of it colourful, and then fails."""

from in_tree_backend import *


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    for number in range(100):
        print(f"line {number}")
    print("fetching https://user:secret@example.invalid/x")
    print("\x1b[31mred\x1b[0m \x1b]0;title\x07text")
    raise RuntimeError("this project cannot be built")
