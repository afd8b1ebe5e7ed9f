"""
What do ormcache's own tests stand on, that yours may use as well?
"""
