"""
How does a read wait for another one: one file for each world, as the core itself waits for nobody.
"""
