"""From a source tree or an sdist to a wheel file in scratch; nothing here knows of indexes or environments' content.

``sdist`` unpacks, ``backend`` reads ``[build-system]``, ``frontend`` calls the hooks, ``builder`` joins them,
``key`` says which two builds are the same.
"""
