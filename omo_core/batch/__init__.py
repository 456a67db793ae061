"""Batch: files in, a whole pool's day out; what `omo run` does, and what the demo prepares its files for.

The story. `files` reads a network, a stock list and orders, and says of each row it cannot use where it stands and why.
`run` loads network and stock, then lets the orders' own times be the clock: window by window, messages are verified
and read, counter sales and orders reach the hub, and the simulated nodes of `nodes` accept, reject, ship and hand over
what they were offered before. Every command's key comes from the input itself, so a second run over the same files
finds everything done and goes on where the first one stopped. `baseline` computes what the nearest store alone would
have filled, `summary` gathers the figures from the database.
"""
