"""What is read of a run after it: the HTML report and the lists of `crawler show`.

`page` renders what `facts` gathers from `sources`, `tally` and `joins`; `sections/` has the parts of the page. Imports
run, store, measure and the floor.
"""
