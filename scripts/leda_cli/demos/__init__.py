"""The demos: each shows a system at work on local AWS and ends with exit status 1 if a figure is not exact.

demo              `leda demo`: the workshop's game on the pipeline
load              `leda load`: puts a burst of messages into the pipeline's stream
putting           puts a generated burst while its totals are shown; for both
live_page         `leda console` beside the demo

example           `leda example`: deploys an example and plays its play_<name>
examples          the folders under examples/, applied on local AWS
play_*            one file for each example
applied_example   the example of a demo: its rows, its functions, what is in its quarantine
grouped_table     a table whose totals modules/aggregation keeps, and a season of writes beside second deliveries
shop_client       the shop as its customers, operators and analysts use it; hosted_sign_in signs an operator in
redelivery        delivers a stream's records to a function again
function_log      reads a function's log

group_by_oracle   what the totals must be, computed without code of the engine
shop_ledger       the same for play_shop
settling          waits until the totals are exact and stay so
bar_table         tables whose lines end in bars, and rankings; live_view redraws one in place
what_next         what stays running, and commands to try
"""
