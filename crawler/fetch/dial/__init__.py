"""The only way to an address: resolve a name, ask the guard, choose what an origin may be told.

`targets` puts it together for each request; `guard` refuses addresses that are not public, `resolve` asks for names,
`proxy` and `cookies` are kept here, `workers` runs what blocks. Imports settings and the floor, no strategy.
"""
