"""What is fetched next: queues of hosts, politeness, robots.txt, limits, retries and crawler traps.

Pure decisions: no I/O, no clock (`now` is an argument), no SQL. `frontier` answers with decisions that the engine acts
on. Imports scope, settings and the floor.
"""
