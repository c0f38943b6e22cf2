"""A module for each command: arguments in, a call of `engine`, an exit code out."""
