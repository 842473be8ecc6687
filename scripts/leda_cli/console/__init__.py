"""`leda console`: a live web page of what a pipeline, or another instance of the engine, does.

site.py       what is shown: the account, the functions and tables by name
samples.py    figures of the functions, from their logs (local AWS) or from CloudWatch (an account)
figures.py    these figures by second or minute, for the last ten minutes
board.py      the totals, as a list or a tree, with their history
trouble.py    alarms with what the runbook says of them, and the quarantine
costs.py      units and dollars an hour at the present rate
commands.py   `leda verify`, `redrive`, `replay` and `rebuild`, run as child processes
hub.py        collects all of it while somebody looks, and tells the open pages
wording.py    the stages of the page with their figures, and how numbers, times and amounts are written
web.py        the pages, and who may ask for them
command.py    the command itself
child.py      the same beside a demo
"""

OPEN = "open"
"""What the child prints when its parent has ended while a page is open."""
