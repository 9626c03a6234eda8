"""The models: one file, one question each, or one kind of mistake."""
