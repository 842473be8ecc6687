"""What the pipeline costs and how late its totals are, computed without an account.

cost              `leda cost`
cost_model        the bill of a month, and the cheapest settings for a latency
cost_report       writes docs/cost.md
scale             `leda scale`
scaling           simulates how long messages take through the pipeline at a rate
scale_report      writes docs/scaling.md
pages             fills cost_report.md and scale_report.md with figures and tables
profiles          the settings that the simulation plays: the modules' defaults, and what is recommended for some loads
load_model        what each stage has to do at a rate: batches, invocations, requests, units
pipeline_units    write and read units per message, from running LEDA's own code
metering          the DynamoDB in memory over which that code runs, which counts units
units             the size of an item, and the units that DynamoDB charges for a request
prices            the prices of prices.toml, by Region
limits            how much of each limit of AWS a load uses, and what to change
measured          the times that the models assume, or those of a file of `leda prove`
"""
