"""The shop's stream: handing its records on to functions, and lines for the data lake."""
