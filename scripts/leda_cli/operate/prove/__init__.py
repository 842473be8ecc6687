"""`leda prove`: checks a deployment, sends messages of its own through it, compares their totals, and measures.

command         the command: checks, price, run, report
deployment      reads what is deployed, and runs every check over it
findings        the result of a check: right, advice, wrong or not checked
mapping_checks  event source mappings, the tables' streams, and the account's concurrent executions
rights          the rights of the functions' roles
alarms          alarms, and who hears of them
versions        the functions' code, and the version of Terraform's AWS provider
price           what a run costs at most
proof           one run: send messages, wait for exact totals, delete everything again
trades          the messages of a run, and the totals in which they count
stream_watch    reads the run's records from StateTable's stream
assumptions     which guarantees of AWS the run has seen kept or broken
function_logs   invocations and errors in the functions' logs
measurements    figures for `leda scale` and `leda cost`
report          the report as JSON and as Markdown
"""
