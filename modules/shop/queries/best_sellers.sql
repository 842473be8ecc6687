WITH ordered AS (
  SELECT DISTINCT sequence_number, product_id, qty * (CASE WHEN status = 'Expired' THEN -1 ELSE 1 END) AS quantity, price_cents
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '30' DAY AS date) AS varchar)
    AND item_type = 'orderLine'
    AND (event = 'create' OR (status = 'Expired' AND old_status = 'Created'))
)
SELECT product_id, sum(quantity) AS units, sum(quantity * price_cents) AS revenue_cents
FROM ordered
GROUP BY product_id
HAVING sum(quantity) > 0
ORDER BY units DESC, product_id
LIMIT 10
