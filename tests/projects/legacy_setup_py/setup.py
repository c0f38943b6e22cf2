from setuptools import setup

# Needs the tree on sys.path, as `python setup.py` had it and `setuptools.build_meta` has not.
import demo

setup(name="demo", version=demo.__version__, packages=["demo"], install_requires=["other>=1"])
