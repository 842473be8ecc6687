WITH ordered AS (
  SELECT DISTINCT sequence_number, product_id, qty, price_cents
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '30' DAY AS date) AS varchar)
    AND item_type = 'orderLine'
    AND event = 'create'
)
SELECT product_id, sum(qty) AS units, sum(qty * price_cents) AS revenue_cents
FROM ordered
GROUP BY product_id
ORDER BY units DESC, product_id
LIMIT 10
