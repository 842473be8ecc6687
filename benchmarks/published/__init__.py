"""The published design of this pipeline, as Lambda functions: the subject that LEDA's figures are ratios to.

The design: https://catalog.workshops.aws/dynamodb-labs/en-US/event-driven-architecture, with both of its fixes
for duplicates. Each function needs boto3 and nothing else. Where the design leaves a choice, it is the faster one, so
that the ratios are not flattered: clients are made once an environment (not once an invocation), through the
client's own calls (not through boto3's resources, whose conversions cost time), nothing is printed, and sums are binary
floats, which round, as the design's are.

simulation/published is the same design for another purpose: it reads and adds as LEDA does, so that a wrong
total there can only come from the hashes.
"""
