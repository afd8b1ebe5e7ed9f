"""
What must a dialect of SQLAlchemy's be able to do?
"""

from sqlalchemy.testing.suite import *  # noqa: F403 - how a dialect takes all of the suite's tests
