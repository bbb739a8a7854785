"""Who is here: instances that announce themselves, beat, and are known from a local snapshot."""
