"""The ground floor: clock, ids, text and errors. Imports nothing of ours."""
