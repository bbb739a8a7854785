"""What services promise each other: prefixes, cards, events, tasks and results. Light: no grpc, no sqlalchemy."""
