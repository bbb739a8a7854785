"""What is looked at: each detector says what is wrong now, or what has happened since."""
