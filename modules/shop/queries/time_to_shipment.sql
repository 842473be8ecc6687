WITH shipped AS (
  SELECT DISTINCT sequence_number, CAST(created_at AS timestamp) AS created, CAST(shipped_at AS timestamp) AS shipped
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '90' DAY AS date) AS varchar)
    AND item_type = 'order'
    AND status = 'Shipped'
    AND old_status IN ('Created', 'Paid')
)
SELECT
  CAST(created AS date) AS ordered_on,
  count(*) AS orders,
  min(date_diff('second', created, shipped)) AS fastest_seconds,
  avg(date_diff('second', created, shipped)) AS average_seconds,
  max(date_diff('second', created, shipped)) AS slowest_seconds
FROM shipped
GROUP BY CAST(created AS date)
ORDER BY ordered_on
