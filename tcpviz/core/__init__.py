"""What TCP is: pure Python from the standard library, without I/O and without a clock."""
