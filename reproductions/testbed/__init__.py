"""A small plain Llama-style decoder with real weights, for techniques that need a whole model.

Techniques are applied from outside: a technique takes a model and returns it changed; nothing here knows any technique.
"""
