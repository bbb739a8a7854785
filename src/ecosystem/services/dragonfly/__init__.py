"""dragonfly-service owns what is known about the cache: health, statistics, hot keys, and the lifetimes by key pattern.
It refuses to show values, and to let a key of a known pattern live for ever.
It tells nobody by event; its measures go to /metrics.
"""
