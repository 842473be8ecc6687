"""Computes all totals again from the source table, while writers change the table and readers read the totals.

rebuild           the run: its steps in order
rebuild_parts     what the steps share: options, clients and the clock of one run
rebuild_source    the source table's side: sum its rows at a watermark, move Map's rows to the watermark
rebuild_totals    the totals' side: wait for Reduce, write corrections, remove what is of the past
journal           the row of RegistryTable that says which run is open and which mappings to switch on again
watermarks        finds a watermark in a table's stream
table_sum         sums a table's rows; totals_file keeps the sums in a temporary file
long_numbers      refuses totals with too many digits, and names the rows that make them so long
lane_rows         writes rows to ReduceTable, and reads which totals its records name
assignments       gives the source table's shards the configuration that becomes live
stored_totals     reads the totals table's rows, changes and deletes them
corrections       what to add to each total
forecast          time, units and dollars that a run will take
"""
