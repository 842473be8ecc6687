"""The shop on one table: orders, stock, vendor orders, counts and the lines of the data lake.

http              the API: requests and answers, and what each route does
orders            what a customer asks for, the rows of an order, and orders that expire unpaid
stock             parts, vendor orders, and the restocking of parts that run low
stream            hands the table's changes on to functions and to the data lake

rows              the table's keys, and what writes each kind of row
attributes        reads and checks the attributes of rows
reading           consistent reads, and `paging` the lists in pages
write_loop        decides and writes in one transaction, until it is committed
refusals          the errors that refuse a request
times             times as texts that sort
"""
