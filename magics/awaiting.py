import asyncio


def run(c):
    return asyncio.run(c)
