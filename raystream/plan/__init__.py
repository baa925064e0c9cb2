"""What runs, decided before anything runs."""
