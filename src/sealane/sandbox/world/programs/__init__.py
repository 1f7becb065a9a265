"""What runs in a simulated container: programs that stand in for the real ones, chosen by image and command."""
