"""What is sent to people: channels, templates, quiet hours, the outbox, and delivery through Apprise."""
