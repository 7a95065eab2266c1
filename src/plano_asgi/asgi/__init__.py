"""ASGI building blocks: bodies, responses, disconnects, lifespan. No wire formats."""
