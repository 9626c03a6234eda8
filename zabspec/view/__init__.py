"""How answers, runs and tables are shown: as text, at 80 columns and more."""
