"""What keeps calls from waiting, piling up and being repeated in vain. It composes callables and knows no agents."""
