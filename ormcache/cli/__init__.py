"""
The command `ormcache`: `main.py` lists the commands, each has a file of its own.
"""
