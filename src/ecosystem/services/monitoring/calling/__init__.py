"""Who is on call: the rota, pages, and how they climb until somebody takes them."""
