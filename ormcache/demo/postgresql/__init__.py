"""
How does PostgreSQL take part, read through SQLAlchemy's sessions?

    models      the tables, each with a policy
    statements  what PostgreSQL says it has done meanwhile
"""
