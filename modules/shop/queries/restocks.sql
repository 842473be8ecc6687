WITH received AS (
  SELECT DISTINCT sequence_number, product_id, qty, CAST(created_at AS timestamp) AS created, CAST(received_at AS timestamp) AS received
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '90' DAY AS date) AS varchar)
    AND item_type = 'vendorOrder'
    AND status = 'Received'
    AND old_status = 'Open'
)
SELECT product_id, count(*) AS restocks, sum(qty) AS units, avg(date_diff('second', created, received)) AS average_seconds
FROM received
GROUP BY product_id
ORDER BY product_id
