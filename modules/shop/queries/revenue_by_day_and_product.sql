WITH ordered AS (
  SELECT DISTINCT sequence_number, product_id, qty, price_cents, CAST(CAST(created_at AS timestamp) AS date) AS ordered_on
  FROM changes
  WHERE day >= CAST(CAST(current_date - INTERVAL '90' DAY AS date) AS varchar)
    AND item_type = 'orderLine'
    AND event = 'create'
)
SELECT ordered_on, product_id, sum(qty) AS units, sum(qty * price_cents) AS revenue_cents
FROM ordered
GROUP BY ordered_on, product_id
ORDER BY ordered_on, product_id
