"""Pages as pixels: decoded, straightened, shown to people. Runs in the sandbox only."""
