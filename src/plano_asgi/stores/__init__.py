"""
Where durable things are kept, and how their databases are reached.

A *room* is one user of a database: it has a name and a list of schema steps, and rooms share a
file or a server without knowing of each other.
"""
