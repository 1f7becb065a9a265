"""Project health: is the open source under what you run alive?"""
