"""What is done about a fault: once, within a budget, looked at again before."""
