"""What to install: requirement files, versions that fit together, and locks. Touches no network itself."""
