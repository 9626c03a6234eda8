"""What Zab is: values and pure functions. Imports attrs and the standard library only."""
