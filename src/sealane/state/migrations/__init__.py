"""Alembic's scripts, shipped in the wheel. Versions only go forward; each is tested on the data of the one before."""
