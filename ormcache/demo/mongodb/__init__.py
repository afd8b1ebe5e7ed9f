"""
How does MongoDB take part, read through PyMongo?
"""
