"""What the JSON files hold that pass between stages: one schema a file, with a version."""
