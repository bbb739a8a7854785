"""The commands of `eco`: one file per noun, a thin layer over client, fleet and checks."""
