"""What every room of the `leda` command uses.

errors        LedaError, the error that a user can act on, and the command line that the user typed
output        prints through one console: headings, lines, errors
terminal      escapes what a terminal would act on; what Ctrl-C does
operations    what the operators' commands share: options, progress, the report as lines or JSON
waiting       waits for a condition, with a limit
paths         where things are in the checkout; the environment of the programs that `leda` starts
shell         which variables of the caller's shell a command takes over
clients       boto3's clients, of local AWS or of the caller's account
locks         locks between processes
processes     spreads work over processes
batches       cuts items into batches
hierarchies   trees of totals, written like 2x2x3
"""
